"""RxExecByResults: what rx_exec_by found, a row for each group."""

from __future__ import annotations

from sqlexec.errors import DependencyMissing
from sqlexec.public import public

try:
    import pandas
except ImportError as error:
    raise DependencyMissing(
        "rx_exec_by gives a DataFrame, which needs pandas here: pip install 'sqlexec[pandas]'"
    ) from error


@public
class RxExecByResults(pandas.DataFrame):
    """A DataFrame indexed by the keys, with the columns `result` and `status`.

    `result` is None where the function raised; `status` is "OK", or the exception.

    Example
    -------
    >>> found = rx_exec_by(flights, "Carrier", fit)   # doctest: +SKIP
    >>> found.failed["status"]                        # doctest: +SKIP
    """

    @property
    def _constructor(self) -> type[RxExecByResults]:
        return RxExecByResults

    @property
    def failed(self) -> RxExecByResults:
        """The groups whose function raised."""
        found: RxExecByResults = self[[isinstance(each, BaseException) for each in self["status"]]]
        return found
