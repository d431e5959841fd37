"""Servers with other packages than the client's, over the whole way: models, changes of values."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import zoneinfo
from pathlib import Path

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


@pytest.mark.parametrize("client", ["models on 3.10", "models on 3.12"])
def test_models_go_and_come_where_the_versions_are_the_same(models, client):
    done = subprocess.run(
        [environment(client), Path(__file__).with_name("models_client.py")],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        input=models.connection_string,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    told = json.loads(done.stdout)
    assert set(told) == {f"{way} {name}" for way in ("to", "from") for name in VERSIONS}
    for way, became in told.items():
        if client == "models on 3.10":
            assert became == "same"
            continue
        name = way.split()[1]
        theirs = rf"{name} {VERSIONS[name]}"
        here = rf"{name} (?!{VERSIONS[name]})\d"
        first, second = (here, theirs) if way.startswith("to") else (theirs, here)
        assert re.search(f"made with {first}.* cannot be rebuilt .*{second}", became), became


VERSIONS = {"statsmodels": r"0\.13\.2", "sklearn": r"1\.0\.2"}  # on the server


def test_changes_of_values_are_told_once_a_call(models):
    columns = {"a": pd.array([1, None], dtype="Int64"), "t": ["x", "y"]}
    frames = [pd.DataFrame(columns, index=["r", "s"])] * 3
    with pytest.warns(UserWarning, match="became") as told:
        results = rx_exec(same, value=frames, compute_context=models)
    assert [str(each.message).partition(":")[0] for each in told] == ["dtype str became object"]
    assert all(each["a"].dtype == "Int64" for each in results)
    assert all(each["t"].dtype == object for each in results)
    assert all(each.index.dtype == "str" for each in results)


def test_changes_of_results_are_told(models):
    if importlib.util.find_spec("pytz"):
        pytest.skip("pytz is installed here")

    def zone():
        import pytz

        return pytz.timezone("Europe/Berlin")

    with pytest.warns(UserWarning, match="time zone of pytz became zoneinfo"):
        assert rx_exec(zone, compute_context=models) == [zoneinfo.ZoneInfo("Europe/Berlin")]
