"""Data sources as values, and rx_data_step on frames and files."""

from __future__ import annotations

import pandas
import pytest

from sqlexec import (
    RxSqlServerData,
    rx_data_step,
    rx_get_info,
    rx_get_var_info,
    rx_get_var_names,
    rx_import,
)
from sqlexec.data.sources import quote_name, split_name
from sqlexec.errors import ConfigurationError
from sqlexec.server.connection import parse_odbc

FRAME = pandas.DataFrame({"a": [1, 2, 3, 4], "b": [1.5, 2.5, 3.5, 4.5], "c": list("wxyz")})


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("t", ["t"]),
        ("dbo.t", ["dbo", "t"]),
        ("[my db].dbo.[a.b]]c]", ["my db", "dbo", "a.b]c"]),
        ('dbo."x ""y"', ["dbo", 'x "y']),
        ("dbo.my table", ["dbo", "my table"]),
        ("t; DROP TABLE u", ["t; DROP TABLE u"]),
    ],
)
def test_names_of_tables(name, parts):
    assert split_name(name) == parts
    assert split_name(quote_name(name)) == parts


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", "a.b.c.d", "[a", "a]b", "[a]b"])
def test_what_is_no_name(name):
    with pytest.raises(ConfigurationError, match="no name of a table"):
        RxSqlServerData(table=name)


def test_query_of_a_source():
    assert RxSqlServerData(table="dbo.t").query == "SELECT * FROM [dbo].[t]"
    assert RxSqlServerData(sql_query=" SELECT 1 AS a ; ").query == "SELECT 1 AS a"


@pytest.mark.parametrize("fields", [{}, {"table": "t", "sql_query": "q"}, {"sql_query": "  "}])
def test_table_or_query(fields):
    with pytest.raises(ConfigurationError, match="sql_query"):
        RxSqlServerData(**fields)


@pytest.mark.parametrize("rows", [0, "5", 2.5, None, True])
def test_rows_per_read_is_a_number(rows):
    with pytest.raises(ConfigurationError, match="rows_per_read must be a whole number"):
        RxSqlServerData(table="t", rows_per_read=rows)


def test_login_in_parts():
    source = RxSqlServerData(table="t", server="db1", database_name="d", user="u", password="s;")
    assert parse_odbc(source.connection_string) == {
        "Server": "db1",
        "Database": "d",
        "UID": "u",
        "PWD": "s;",
    }
    assert "Trusted_Connection=yes" in RxSqlServerData(table="t", server="x").connection_string


def test_the_repr_hides_the_password():
    for source in (
        RxSqlServerData("Server=a;UID=u;PWD=s3cret", table="t", string_as_factors=True),
        RxSqlServerData(table="t", server="a", user="u", password="s3cret"),
    ):
        assert "s3cret" not in repr(source)
        assert "table='t'" in repr(source)
    assert repr(RxSqlServerData(table="t")) == "RxSqlServerData(table='t')"


def test_options_for_the_reading_side():
    source = RxSqlServerData(
        table="t", column_classes={"a": "factor"}, column_info={"a": {"newName": "A"}}
    )
    assert source.options["column_info"] == {"a": {"type": "factor", "newName": "A"}}


def test_step():
    found = rx_data_step(
        FRAME,
        row_selection="b > @limit",
        transforms={"d": "a * 2", "e": lambda frame: frame.a + frame.b},
        transform_objects={"limit": 2},
        vars_to_drop=["c"],
        start_row=2,
        number_rows_read=2,
        max_rows_by_cols=1,
        report_progress=0,
    )
    assert found.to_dict("list") == {"a": [2, 3], "b": [2.5, 3.5], "d": [4, 6], "e": [4.5, 6.5]}
    assert list(FRAME.columns) == ["a", "b", "c"]
    with pytest.raises(TypeError, match="no argument vars_to_kep"):
        rx_data_step(FRAME, vars_to_kep=["a"])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    assert rx_data_step(FRAME, path) == path
    assert rx_import(path, number_rows=2).a.tolist() == [1, 2]
    assert rx_import(str(path)).c.tolist() == list("wxyz")
    with pytest.raises(ConfigurationError, match="overwrite"):
        rx_data_step(FRAME, path)
    rx_data_step(FRAME, path, overwrite=True, vars_to_keep="a")
    assert rx_get_var_names(path) == ["a"]


def test_rows_are_appended(tmp_path):
    path = tmp_path / "t.csv"
    for _ in range(2):
        rx_data_step(FRAME, path, append="rows")
    assert rx_get_info(path)["num_rows"] == 8
    with pytest.raises(ConfigurationError, match="append must be"):
        rx_data_step(FRAME, path, append="cols")


def test_what_is_no_data(tmp_path):
    for wrong in (5, "t.xdf", None):
        with pytest.raises(ConfigurationError, match="input_data must be"):
            rx_data_step(wrong)
    with pytest.raises(ConfigurationError, match="ends neither"):
        rx_data_step(FRAME, tmp_path / "t.xdf")
    with pytest.raises(ConfigurationError, match="no connection_string"):
        rx_data_step(RxSqlServerData(table="t"))
    with pytest.raises(ConfigurationError, match="not a query"):
        rx_data_step(FRAME, RxSqlServerData(sql_query="SELECT 1 AS a"))


def test_information():
    info = rx_get_info(FRAME, get_var_info=True, num_rows=1)
    assert (info["num_rows"], info["num_vars"], info["var_names"]) == (4, 3, ["a", "b", "c"])
    assert len(info["data"]) == 1
    assert rx_get_var_info(FRAME)["b"] == {"var_type": "float64", "low": 1.5, "high": 4.5}
