"""Servers with other packages than the client's, over the whole way: models, changes of values."""

from __future__ import annotations

import importlib.util
import zoneinfo

import pandas as pd
import pytest

from sqlexec import RxInSqlServer, rx_exec
from sqlexec.embedded import EmbeddedServer
from sqlexec.errors import UnpackError
from sqlexec.server.pool import POOL
from tests.environments import environment
from tests.integration.conftest import prepared

pytestmark = pytest.mark.embedded_only


def same(value):
    return value


def fit(make):
    import numpy
    import pandas

    if make == "sklearn":
        from sklearn.linear_model import LinearRegression

        return LinearRegression().fit(numpy.array([[1.0], [2.0]]), numpy.array([1.0, 2.0]))
    import statsmodels.api

    return statsmodels.api.OLS(pandas.Series([1.0, 2.0, 4.0]), numpy.ones(3)).fit()


@pytest.fixture(scope="module")
def models():
    """A context on a server with an old scikit-learn and statsmodels."""
    with EmbeddedServer(python=environment("models on 3.10")) as server:
        yield RxInSqlServer(prepared(server), num_tasks=1)
        POOL.close()


def test_a_model_to_a_server_with_another_version(models):
    sklearn = pytest.importorskip("sklearn")
    from sklearn.linear_model import LinearRegression

    here = sklearn.__version__
    with pytest.raises(Exception, match=f"made with sklearn {here} .* sklearn 1.0.2"):
        rx_exec(same, args={"value": LinearRegression()}, compute_context=models)


def test_a_model_from_a_server_with_another_version(models):
    sklearn = pytest.importorskip("sklearn")
    here = sklearn.__version__
    with pytest.raises(UnpackError, match=f"made with sklearn 1.0.2 .* sklearn {here}"):
        rx_exec(fit, args={"make": "sklearn"}, compute_context=models)


def test_a_model_of_a_package_that_is_missing_here(models):
    if importlib.util.find_spec("statsmodels"):
        pytest.skip("statsmodels is installed here")
    with pytest.raises(UnpackError, match=r"needs statsmodels 0.13.2, which this Python lacks"):
        rx_exec(fit, args={"make": "statsmodels"}, compute_context=models)


def test_changes_of_values_are_told_once_a_call(models):
    frames = [pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}, index=["x", "y"])] * 3
    with pytest.warns(UserWarning, match="became") as told:
        results = rx_exec(same, value=frames, compute_context=models)
    assert [str(each.message).partition(":")[0] for each in told] == ["dtype str became object"]
    assert all(each["a"].dtype == "Int64" for each in results)
    assert all(each.index.dtype == object for each in results)


def test_changes_of_results_are_told(models):
    if importlib.util.find_spec("pytz"):
        pytest.skip("pytz is installed here")

    def zone():
        import pytz

        return pytz.timezone("Europe/Berlin")

    with pytest.warns(UserWarning, match="time zone of pytz became zoneinfo"):
        assert rx_exec(zone, compute_context=models) == [zoneinfo.ZoneInfo("Europe/Berlin")]
