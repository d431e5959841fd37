"""The joblib backend "sqlexec": joblib.Parallel, and scikit-learn with it, in the server."""

from __future__ import annotations

from sqlexec.contexts.processes import import_joblib
from sqlexec.public import public


@public
def register_joblib() -> None:
    """Make the backend "sqlexec" known to joblib.

    No call is needed where joblib was imported before the compute context was made.  The backend
    takes a `compute_context` (by default the active one), and runs up to `n_jobs` calls there at
    a time: by default, and with -1, as many as the context's `num_tasks`.  The server's Python
    needs joblib and what the functions import, scikit-learn, say.

    Raises
    ------
    DependencyMissing
        joblib is not installed.

    Example
    -------
    >>> register_joblib()
    >>> with joblib.parallel_config("sqlexec", compute_context=cc, n_jobs=2):  # doctest: +SKIP
    ...     GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}).fit(X, y)
    """
    joblib = import_joblib()
    from sqlexec.rx.joblib_backend import SqlServerBackend

    joblib.register_parallel_backend("sqlexec", SqlServerBackend)
