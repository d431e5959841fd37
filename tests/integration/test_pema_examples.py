"""The algorithms of examples/pema against scikit-learn and closed forms, here and in the server."""

from __future__ import annotations

import numpy
import pandas
import pytest
from pema.k_means import KMeans
from pema.linear_regression import LinearRegression
from pema.logistic_regression import LogisticRegression
from pema.mean_by_group import MeanByGroup
from sklearn import cluster, linear_model

from sqlexec import RxLocalSeq, RxSqlServerData, pema_compute, rx_data_step

CARRIERS = ["A", "B", "Ä"]
TERMS = {"numbers": ["x", "z"], "levels": {"carrier": CARRIERS}}


@pytest.fixture(scope="module")
def source(connection_string, flights):
    query = (
        "SELECT delay + id % 13 AS y, SIN(id) AS x, (id % 101) / 50.0E0 AS z, carrier, "
        f"CASE WHEN SIN(id) + SIN(id * 3.7E0) > 0.3E0 THEN 1 ELSE 0 END AS late FROM {flights}"
    )
    return RxSqlServerData(connection_string, sql_query=query, rows_per_read=350)


@pytest.fixture(scope="module")
def frame(source):
    return rx_data_step(source)


@pytest.fixture(scope="module")
def compute(cc, source):
    """The answer in the server; here it must be the same, and for every number of workers."""

    def run(make):
        one = pema_compute(make(), source, compute_context=cc.replace(num_tasks=1))
        two = pema_compute(make(), source, compute_context=cc)
        here = pema_compute(make(), source, compute_context=RxLocalSeq())
        close(two, one, 0)
        close(here, one, 1e-9)
        return one

    return run


def close(found, wanted, tolerance):
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for name in wanted:
            close(found[name], wanted[name], tolerance)
    else:
        numpy.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


def test_mean_by_group(compute, frame):
    found = compute(lambda: MeanByGroup(column="y", group="carrier"))
    groups = frame.groupby("carrier")["y"]
    assert found["n"].tolist() == groups.count().tolist()
    close(found["mean"], groups.mean(), 1e-12)
    close(found["variance"], groups.var(), 1e-12)


def matrix(frame):
    dummies = pandas.get_dummies(frame["carrier"], dtype=float)[CARRIERS[1:]]
    return pandas.concat([frame[["x", "z"]], dummies], axis=1)


def test_linear_regression(compute, frame):
    found = compute(lambda: LinearRegression(response="y", **TERMS))
    complete = frame.dropna()
    x, y = matrix(complete), complete["y"]
    model = linear_model.LinearRegression().fit(x, y)
    assert found["n"] == len(y) == 900
    assert found["coefficients"].index.tolist() == ["(intercept)", "x", "z", "B", "Ä"]
    close(found["coefficients"]["estimate"], [model.intercept_, *model.coef_], 1e-8)
    close(found["r2"], model.score(x, y), 1e-8)
    q, r = numpy.linalg.qr(numpy.column_stack([numpy.ones(len(x)), x]))
    residual = y - q @ (q.T @ y)
    inverse = numpy.linalg.inv(r)
    errors = numpy.sqrt(residual @ residual / (len(y) - 5) * (inverse**2).sum(axis=1))
    close(found["coefficients"]["error"], errors, 1e-8)


def test_logistic_regression(compute, frame):
    found = compute(lambda: LogisticRegression(response="late", **TERMS))
    x, y = matrix(frame), frame["late"]
    model = linear_model.LogisticRegression(C=numpy.inf, solver="newton-cholesky", tol=1e-12)
    model.fit(x, y)
    close(found["coefficients"]["estimate"], [*model.intercept_, *model.coef_[0]], 1e-8)
    chances = model.predict_proba(x)[numpy.arange(len(y)), y.to_numpy(dtype=int)]
    close(found["log_likelihood"], numpy.log(chances).sum(), 1e-8)
    assert 3 < found["passes"] < 10


def test_k_means(compute, frame):
    points = frame[["x", "z"]]
    centers = numpy.array([[-0.6, 1.0], [0.6, 0.5], [0.6, 1.5]])
    found = compute(lambda: KMeans(columns=["x", "z"], centers=centers))
    model = cluster.KMeans(3, init=centers, n_init=1, tol=0, algorithm="lloyd").fit(points)
    close(found["centers"], model.cluster_centers_, 1e-8)
    close(found["inertia"], model.inertia_, 1e-8)
    assert found["counts"].tolist() == numpy.bincount(model.labels_).tolist()
