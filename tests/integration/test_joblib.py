"""joblib's backend "sqlexec", and scikit-learn over it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import joblib
import numpy
import pytest
from joblib._parallel_backends import AutoBatchingMixin
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from sqlexec import RxLocalParallel, RxLocalSeq
from sqlexec.errors import ConfigurationError

pytestmark = pytest.mark.embedded_only  # a server need not have joblib and scikit-learn


@pytest.fixture(params=["localpar", "sqlserver"])
def context(request):
    if request.param == "localpar":
        return RxLocalParallel(2)
    return request.getfixturevalue("cc")


def parallel(function, values, **options):
    return joblib.Parallel(**options)(joblib.delayed(function)(value) for value in values)


def test_parallel(context):
    with joblib.parallel_config(backend="sqlexec", compute_context=context, n_jobs=2):
        assert parallel(abs, range(-50, 0)) == list(range(50, 0, -1))
        processes = parallel(lambda _: os.getpid(), range(4))
        processes += parallel(lambda _: os.getpid(), range(4), n_jobs=1)
    assert os.getpid() not in processes


def test_results_as_they_complete(context):
    with joblib.parallel_config(backend="sqlexec", compute_context=context):
        found = parallel(abs, range(20), return_as="generator_unordered")
        assert sorted(found) == list(range(20))


def test_exceptions(context):
    with joblib.parallel_config(backend="sqlexec", compute_context=context, n_jobs=2):
        with pytest.raises(ZeroDivisionError) as caught:
            parallel(lambda x: 1 / x, [2, 1, 0])
        assert caught.value.remote.process_id
        assert "in <lambda>" in str(caught.value.__cause__)
        assert parallel(abs, [-1, -2]) == [1, 2]


def test_calls_share_scripts(cc, execute):
    (before,) = execute("SELECT COUNT(*) FROM sqlexec.chunk_log")[0]
    with (
        joblib.parallel_config(backend="sqlexec", compute_context=cc, n_jobs=2),
        joblib.Parallel(batch_size=1) as at_work,  # as scikit-learn's searches do it
    ):
        assert at_work(joblib.delayed(abs)(-x) for x in range(60)) == list(range(60))
    (after,) = execute("SELECT COUNT(*) FROM sqlexec.chunk_log")[0]
    assert after - before < 30


def nested(_):
    import joblib

    calls = (joblib.delayed(os.getpid)() for _ in range(4))
    return {os.getpid(), *joblib.Parallel(n_jobs=2)(calls)}


def test_joblib_within_calls_starts_no_processes(context):
    with joblib.parallel_config(backend="sqlexec", compute_context=context, n_jobs=2):
        assert [len(each) for each in parallel(nested, range(3))] == [1, 1, 1]


def test_joblib_is_not_loaded_for_functions_that_do_without(cc):
    def loaded(_):
        import sys

        return "joblib" in sys.modules, os.environ.get("JOBLIB_MULTIPROCESSING")

    with joblib.parallel_config(backend="sqlexec", compute_context=cc, n_jobs=2):
        assert set(parallel(loaded, range(4))) == {(False, "0")}


def threads_of_blas(_):
    import numpy  # noqa: F401 - brings a BLAS
    import threadpoolctl

    return max(each["num_threads"] for each in threadpoolctl.threadpool_info())


def test_batches_grow_by_what_they_run_and_not_by_what_they_wait(monkeypatch):
    told = []
    monkeypatch.setattr(
        AutoBatchingMixin,
        "batch_completed",
        lambda self, size, seconds: told.append(seconds),
    )
    started = time.monotonic()
    with joblib.parallel_config("sqlexec", compute_context=RxLocalParallel(2), n_jobs=2):
        joblib.Parallel()(joblib.delayed(time.sleep)(0.02) for _ in range(30))
    assert len(told) == 30
    assert sum(told) < 2 * (time.monotonic() - started)  # two at a time


def test_workers_share_the_cores(context):
    cores = os.cpu_count()
    with joblib.parallel_config(backend="sqlexec", compute_context=context, n_jobs=cores):
        assert parallel(threads_of_blas, range(3)) == [1] * 3


def test_grid_search_runs_in_the_server(context):
    random = numpy.random.default_rng(1)
    x = random.normal(size=(2000, 20))
    y = x @ random.normal(size=20) + random.normal(size=2000)
    client = os.getpid()
    scoring = {"r2": "r2", "elsewhere": lambda *_: float(os.getpid() != client)}
    search = GridSearchCV(
        Ridge(), {"alpha": [0.01, 1.0, 100.0]}, scoring=scoring, refit="r2", n_jobs=2, cv=3
    )
    here = GridSearchCV(Ridge(), {"alpha": [0.01, 1.0, 100.0]}, cv=3).fit(x, y)
    with joblib.parallel_config(backend="sqlexec", compute_context=context, n_jobs=2):
        search.fit(x, y)
    assert set(search.cv_results_["mean_test_elsewhere"]) == {1.0}
    assert search.best_params_ == here.best_params_
    assert numpy.allclose(
        search.cv_results_["mean_test_r2"], here.cv_results_["mean_test_score"], rtol=1e-12
    )


def test_wrong_options(context):
    with pytest.raises(ConfigurationError, match="An executor needs"):
        joblib.parallel_config(backend="sqlexec", compute_context=RxLocalSeq())
    with (
        joblib.parallel_config(backend="sqlexec", compute_context=context),
        pytest.raises(ConfigurationError, match="n_jobs=0"),
    ):
        parallel(abs, [1], n_jobs=0)


def test_the_backend_is_known_without_a_call_or_by_one():
    without = "import joblib; from sqlexec import RxLocalParallel; RxLocalParallel();"
    by_call = "from sqlexec import register_joblib; register_joblib(); import joblib;"
    for code in (without, by_call):
        use = "joblib.parallel_config(backend='sqlexec', compute_context='localpar')"
        subprocess.run([sys.executable, "-c", code + use], check=True)
