"""rx_data_step on a DataFrame."""

import datetime

import pandas as pd
import pytest

from sqlexec.runner.data_step import step_frame
from sqlexec.runner.revoscalepy import RxSqlServerData, rx_get_info, rx_get_var_names, rx_import

FRAME = pd.DataFrame({"a": [1, 2, 3, 4], "b": [1.0, None, 3.0, 4.0], "c": list("wxyz")})


def test_columns_kept_or_dropped() -> None:
    assert list(step_frame(FRAME, vars_to_keep=["c", "a"]).columns) == ["c", "a"]
    assert list(step_frame(FRAME, vars_to_drop="b").columns) == ["a", "c"]
    with pytest.raises(ValueError, match="exclude each other"):
        step_frame(FRAME, vars_to_keep="a", vars_to_drop="b")
    with pytest.raises(KeyError, match="no column 'nope'; it has 'a', 'b', 'c'"):
        step_frame(FRAME, vars_to_keep=["nope"])


def test_rows_by_number() -> None:
    assert step_frame(FRAME, start_row=2, number_rows_read=2)["a"].tolist() == [2, 3]
    assert step_frame(FRAME, start_row=4)["a"].tolist() == [4]
    assert step_frame(FRAME, number_rows_read=0).empty
    with pytest.raises(ValueError, match="counts from 1"):
        step_frame(FRAME, start_row=0)


def test_rows_by_expression_or_function() -> None:
    assert step_frame(FRAME, row_selection="a > 2")["a"].tolist() == [3, 4]
    assert step_frame(FRAME, row_selection=lambda f: f["c"] == "x")["a"].tolist() == [2]
    chosen = step_frame(FRAME, row_selection="a > @least", transform_objects={"least": 3})
    assert chosen["a"].tolist() == [4]


def test_new_columns() -> None:
    result = step_frame(FRAME, transforms={"d": "a * 2", "e": lambda f: f["c"].str.upper()})
    assert result["d"].tolist() == [2, 4, 6, 8]
    assert result["e"].tolist() == list("WXYZ")
    assert list(FRAME.columns) == ["a", "b", "c"]


def test_a_transform_function_gives_a_frame_or_columns() -> None:
    def doubled(frame: pd.DataFrame) -> pd.DataFrame:
        frame["a"] = frame["a"] * 2
        return frame

    assert step_frame(FRAME, transform_function=doubled)["a"].tolist() == [2, 4, 6, 8]
    assert FRAME["a"].tolist() == [1, 2, 3, 4]
    added = step_frame(FRAME, transform_function=lambda f: {"n": f["a"]}, transform_variables="a")
    assert added["n"].tolist() == [1, 2, 3, 4]
    with pytest.raises(TypeError, match="not int"):
        step_frame(FRAME, transform_function=lambda _: 5)


def test_rows_with_missing_values() -> None:
    assert step_frame(FRAME, remove_missings=True)["a"].tolist() == [1, 3, 4]
    kept = step_frame(FRAME, vars_to_keep=["a"], remove_missings_on_read=True)
    assert kept["a"].tolist() == [1, 3, 4]


def test_columns_as_declared_by_the_data_source() -> None:
    info = {"c": {"type": "factor", "levels": ["w", "x"], "newName": "letter"}}
    source = RxSqlServerData.of_frame(FRAME.copy(), {"table": "t", "column_info": info})
    frame = rx_import(source)
    assert list(frame["letter"].cat.categories) == ["w", "x"]
    assert frame["letter"].isna().tolist() == [False, False, True, True]
    assert rx_get_var_names(source) == ["a", "b", "letter"]
    assert source.head(2)["a"].tolist() == [1, 2]
    assert source.tail(1)["a"].tolist() == [4]
    assert repr(source) == "RxSqlServerData(t)"


def test_info() -> None:
    info = rx_get_info(FRAME, get_var_info=True)
    assert (info["num_rows"], info["num_vars"]) == (4, 3)
    assert (info["var_info"]["b"]["low"], info["var_info"]["b"]["high"]) == (1.0, 4.0)


def test_texts_alone_become_factors() -> None:
    columns = {
        "text": ["a", None],
        "nothing": [None, None],
        "day": [datetime.date(2013, 1, 1), None],
        "bytes": [b"a", None],
        "flag": [True, None],
    }
    frame = pd.DataFrame({name: pd.Series(each, dtype=object) for name, each in columns.items()})
    found = RxSqlServerData.of_frame(frame, {"string_as_factors": True}).read()
    assert [str(kind) for kind in found.dtypes] == ["category"] * 2 + ["object"] * 3
