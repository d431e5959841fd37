"""Data sources: as an argument, inside the function, and fetched to this machine."""

from __future__ import annotations

import uuid

import pandas
import pytest

from sqlexec import (
    RxLocalSeq,
    RxSqlServerData,
    rx_data_step,
    rx_exec,
    rx_get_info,
    rx_get_var_names,
    rx_import,
)
from sqlexec.errors import ConfigurationError, ServerError


def read(data):
    from revoscalepy import rx_data_step

    return rx_data_step(data)


def test_the_example_of_the_documentation(cc, connection_string, flights):
    source = RxSqlServerData(
        sql_query=f"SELECT TOP 100 [delay],[day] FROM {flights}",
        connection_string=connection_string,
    )

    def remote_call(dataset):
        from revoscalepy import rx_data_step

        df = rx_data_step(dataset)
        return len(df)

    assert rx_exec(function=remote_call, args={"dataset": source}, compute_context=cc) == [100]


def test_the_same_frame_here_and_there(cc, connection_string, flights):
    source = RxSqlServerData(connection_string, sql_query=f"SELECT * FROM {flights} ORDER BY id")
    (there,) = rx_exec(read, {"data": source}, compute_context=cc)
    (local,) = rx_exec(read, {"data": source}, compute_context=RxLocalSeq())
    here = rx_data_step(source)
    pandas.testing.assert_frame_equal(local, here)
    pandas.testing.assert_frame_equal(there, here)
    assert len(here) == 1000
    assert here.delay.isna().sum() == 100
    assert here.dtypes.astype(str).to_dict()["id"] == "int32"
    assert set(here.carrier) == set("ABÄ")


def test_a_source_without_a_connection_takes_the_contexts(cc, flights):
    source = RxSqlServerData(table=flights)
    assert len(rx_exec(read, {"data": source}, compute_context=cc)[0]) == 1000
    with cc:
        assert len(rx_import(source, number_rows=5)) == 5


def test_a_source_a_run(cc, flights):
    sources = [
        RxSqlServerData(sql_query=f"SELECT id FROM {flights} WHERE day = {day}") for day in range(3)
    ]
    runs = [{"data": source, "day": day} for day, source in enumerate(sources)]

    def check(data, day):
        from revoscalepy import rx_data_step

        return day, set(rx_data_step(data).id % 7)

    found = rx_exec(check, runs, compute_context=cc)
    assert found == [(0, {0}), (1, {1}), (2, {2})]
    with pytest.raises(ConfigurationError, match="Run 1 has no data source"):
        rx_exec(check, [runs[0], {"data": 5, "day": 1}], compute_context=cc)


def test_steps_inside(cc, flights):
    def step(data):
        from revoscalepy import rx_data_step, rx_get_info

        frame = rx_data_step(data, row_selection="day == 3", vars_to_keep=["id"])
        return len(frame), list(frame.columns), rx_get_info(data)["num_rows"]

    source = RxSqlServerData(table=flights)
    (found,) = rx_exec(step, {"data": source}, compute_context=cc)
    assert found == (143, ["id"], 1000)


def test_column_info_here_and_there(cc, connection_string, flights):
    source = RxSqlServerData(
        connection_string,
        sql_query=f"SELECT id, carrier FROM {flights} ORDER BY id",
        column_info={"carrier": {"type": "factor", "levels": ["A", "B"], "newName": "who"}},
    )
    (there,) = rx_exec(read, {"data": source}, compute_context=cc)
    assert list(there.who.cat.categories) == ["A", "B"]
    pandas.testing.assert_frame_equal(there, rx_data_step(source))


def test_head_tail_and_names(connection_string, flights):
    source = RxSqlServerData(connection_string, sql_query=f"SELECT id FROM {flights} ORDER BY id")
    assert source.head(3).id.tolist() == [0, 1, 2]
    assert source.tail(2).id.tolist() == [998, 999]
    assert rx_get_var_names(source) == ["id"]
    assert rx_get_info(source)["num_rows"] == 1000
    assert rx_data_step(source, start_row=11, number_rows_read=2).id.tolist() == [10, 11]


def test_rows_in_several_reads(connection_string, flights):
    source = RxSqlServerData(connection_string, table=flights, rows_per_read=64)
    assert sorted(rx_data_step(source).id) == list(range(1000))


def test_no_rows(cc, connection_string, flights):
    source = RxSqlServerData(connection_string, sql_query=f"SELECT id FROM {flights} WHERE id < 0")
    assert list(rx_data_step(source).columns) == ["id"]
    (there,) = rx_exec(read, {"data": source}, compute_context=cc)
    assert there.shape == (0, 1)


@pytest.fixture
def target(connection_string, execute):
    name = f"dbo.written_{uuid.uuid4().hex[:8]}"
    yield RxSqlServerData(connection_string, table=name)
    execute(f"DROP TABLE IF EXISTS {name}")


def test_writing_a_table(target, execute):
    frame = pandas.DataFrame(
        {
            "n": [1, 2, 3],
            "x": [1.5, None, 2.5],
            "t": ["Ä", None, "日本"],
            "b": [True, False, True],
            "d": pandas.to_datetime(["2013-01-01 10:00:00", None, "2014-02-02 11:30:15"]),
        }
    )
    assert rx_data_step(frame, target) is target
    found = rx_data_step(target)
    assert found.n.tolist() == [1, 2, 3]
    assert found.t.tolist() == ["Ä", None, "日本"]
    assert found.b.tolist() == [True, False, True]
    assert found.d.isna().tolist() == [False, True, False]
    assert found.x.isna().tolist() == [False, True, False]
    with pytest.raises(ConfigurationError, match="exists: say overwrite"):
        rx_data_step(frame, target)
    rx_data_step(frame, target, append="rows")
    assert len(rx_data_step(target)) == 6
    rx_data_step(frame.head(1), target, overwrite=True)
    assert len(rx_data_step(target)) == 1


def test_a_query_that_fails(cc, connection_string):
    source = RxSqlServerData(connection_string, sql_query="SELECT * FROM dbo.no_such_table")
    with pytest.raises(ServerError, match="no_such_table") as caught:
        rx_data_step(source)
    assert caught.value.number == 208
    with pytest.raises(ServerError, match="no_such_table") as caught:
        rx_exec(read, {"data": source}, compute_context=cc)
    assert caught.value.number == 208
