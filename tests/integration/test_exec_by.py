"""A function for each group of the rows, in every context, with the same results."""

from __future__ import annotations

import pandas
import pytest

from sqlexec import (
    RxExecByResults,
    RxForeachDoPar,
    RxInSqlServer,
    RxLocalParallel,
    RxLocalSeq,
    RxSqlServerData,
    rx_data_step,
    rx_exec_by,
    rx_get_partitions,
)
from sqlexec.errors import ConfigurationError, ServerError

CONTEXTS = {
    "server": None,  # the fixture `cc`
    "local": RxLocalSeq(),
    "localpar": RxLocalParallel(2),
    "dopar": RxForeachDoPar(num_tasks=2),
}


@pytest.fixture(params=CONTEXTS)
def context(request, cc):
    return CONTEXTS[request.param] or cc


@pytest.fixture
def source(connection_string, flights):
    query = f"SELECT id, delay, NULLIF(day, 3) AS day, carrier, seen FROM {flights} WHERE id < 60"
    return RxSqlServerData(connection_string, sql_query=query)


def total(keys, data, times=1):
    from sqlexec import rx_data_step

    frame = rx_data_step(data)
    if keys.get("carrier") == "B":
        raise LookupError(keys["carrier"])
    return times * int(frame["id"].sum())


def wanted(carrier):
    return sum(n for n in range(60) if "ABÄ"[n % 3] == carrier)


def test_by_one_key(context, source):
    found = rx_exec_by(source, "carrier", total, {"times": 2}, compute_context=context)
    assert type(found) is RxExecByResults
    assert found.index.name == "carrier"
    assert found.index.tolist() == ["A", "B", "Ä"]
    assert found["result"].tolist() == [2 * wanted("A"), None, 2 * wanted("Ä")]
    assert found["status"].tolist()[::2] == ["OK", "OK"]
    assert type(found.failed) is RxExecByResults
    (error,) = found.failed["status"]
    assert isinstance(error, LookupError)
    if not isinstance(context, RxLocalSeq):
        assert error.remote.process_id


def test_by_several_keys_with_nulls(context, source):
    def shape(keys, data):
        frame = data.read()
        day = frame["day"].isna().all() if keys["day"] is None else (frame["day"] == keys["day"])
        return (
            len(frame),
            bool(pandas.Series(day).all()),
            set(frame["carrier"]) == {keys["carrier"]},
        )

    found = rx_exec_by(source, ["day", "carrier"], shape, compute_context=context)
    assert found.index.names == ["day", "carrier"]
    assert len(found) == 21
    assert sum(rows for rows, _, _ in found["result"]) == 60
    assert all(day and carrier for _, day, carrier in found["result"])
    assert set(found["status"]) == {"OK"}


def test_groups_that_are_kept(cc, source):
    def last_two(groups):
        assert groups.columns.tolist() == ["carrier"]
        return groups[groups["carrier"] != "A"].iloc[::-1]

    found = rx_exec_by(source, "carrier", total, filter_function=last_two, compute_context=cc)
    assert found.index.tolist() == ["Ä", "B"]
    with pytest.raises(ConfigurationError, match="filter_function"):
        rx_exec_by(source, "carrier", total, filter_function=len, compute_context=cc)


def test_one_group_that_fails(cc, source):
    found = rx_exec_by(
        source,
        "carrier",
        total,
        filter_function=lambda groups: groups[groups["carrier"] == "B"],
        compute_context=cc,
    )
    assert isinstance(found["status"]["B"], LookupError)


def test_a_frame(context, source):
    frame = rx_data_step(source)
    found = rx_exec_by(frame, "carrier", total, compute_context=context)
    assert found["result"].tolist() == [wanted("A"), None, wanted("Ä")]
    days = rx_exec_by(frame, ["day"], lambda keys, data: keys["day"], compute_context=context)
    assert days["result"].tolist() == [0, 1, 2, 4, 5, 6, None]
    with pytest.raises(ConfigurationError, match="port: no such column"):
        rx_exec_by(frame, "port", total)


def test_keys_of_other_types(cc, flights):
    source = RxSqlServerData(sql_query=f"SELECT seen, late, price FROM {flights} WHERE id < 20")
    for key in ("seen", "late", "price"):
        found = rx_exec_by(source, key, lambda keys, data: len(data.read()), compute_context=cc)
        assert sum(found["result"]) == 20
        assert min(found["result"]) > 0


def test_partitions(cc, source):
    groups = rx_get_partitions(source, "carrier", cc)
    assert groups.index.tolist() == ["A", "B", "Ä"]
    assert groups["data_source"]["Ä"].read()["id"].sum() == wanted("Ä")


def test_bad_arguments(cc, source):
    for keys in ([], 3, [3]):
        with pytest.raises(ConfigurationError, match="keys"):
            rx_exec_by(source, keys, total, compute_context=cc)
    for wrong in ({"function_parameters": [1]}, {"filter_function": 3}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            rx_exec_by(source, "carrier", total, compute_context=cc, **wrong)
    with pytest.raises(ConfigurationError, match="data from rx_exec_by"):
        rx_exec_by(source, "carrier", total, {"data": 1}, compute_context=cc)
    with pytest.raises(ConfigurationError, match="input_data"):
        rx_exec_by([1], "carrier", total, compute_context=cc)
    with pytest.raises(ServerError, match="port"):
        rx_exec_by(source, "port", total, compute_context=cc)
    elsewhere = RxInSqlServer("Server=elsewhere;Database=d;UID=u;PWD=p")
    with pytest.raises(ConfigurationError, match="same server"):
        rx_exec_by(source, "carrier", total, compute_context=elsewhere)
