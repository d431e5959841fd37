"""sqlexec run: which function, which arguments, and how results are told."""

from __future__ import annotations

import json
import pickle
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sqlexec.cli import main
from sqlexec.cli.output import show_results
from sqlexec.cli.run import arguments_of, load_function
from sqlexec.errors import ConfigurationError, SqlExecError
from sqlexec.plan import RxElemArg


def split(args: Any) -> Any:
    """Values a run as lists, to be compared."""
    return {
        name: list(value) if isinstance(value, RxElemArg) else [[value]]
        for name, value in args.items()
    }


def test_arguments() -> None:
    named = arguments_of(["x=1", "name=Ann Lee", "path=a=b", "xs=[1, 2]", 'one={"a": 1}'], None)
    assert split(named) == {
        "x": [[1]],
        "name": [["Ann Lee"]],
        "path": [["a=b"]],
        "xs": [1, 2],
        "one": [[{"a": 1}]],
    }
    assert arguments_of(["y=2"], '{"x": [1, 2]}') == {"x": [1, 2], "y": 2}
    assert arguments_of([], '[{"x": 1}, {"x": 2}]') == [{"x": 1}, {"x": 2}]


def test_arguments_from_a_file(tmp_path: Path) -> None:
    tmp_path.joinpath("args.json").write_text('{"x": 1}')
    assert arguments_of([], str(tmp_path / "args.json")) == {"x": 1}


@pytest.mark.parametrize(
    ("named", "text", "message"),
    [
        (["x"], None, "NAME=VALUE"),
        (["1x=2"], None, "NAME=VALUE"),
        ([], "{no json", "no JSON"),
        (["x=1"], "[{}]", "without --arg"),
    ],
)
def test_arguments_that_are_none(named: list[str], text: str | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        arguments_of(named, text)


def test_functions_of_scripts_and_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    tmp_path.joinpath("beside_the_script.py").write_text("TWO = 2\n")
    script = tmp_path / "some_script.py"
    script.write_text("from beside_the_script import TWO\ndef double(x):\n    return TWO * x\n")
    assert load_function(f"{script}:double")(4) == 8
    assert load_function("json:dumps") is json.dumps


@pytest.mark.parametrize("target", ["x.py", "x.py:", "no_such_script.py:f", "json:nothing", ":f"])
def test_functions_that_are_not_there(target: str) -> None:
    with pytest.raises(ConfigurationError):
        load_function(target)


def test_scripts_that_cannot_be_loaded_are_used_wrongly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "broken_script.py"
    script.write_text("1 / 0\n")
    connection = "Server=tcp:127.0.0.1,1;Database=d;UID=ann;PWD=secret"
    assert main(["run", f"{script}:f", "--connection", connection]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_results_as_lines_and_as_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    results = [1, "two", np.float64(3), date(2020, 1, 2), object, ValueError("five")]
    assert show_results(lambda: results, None, as_json=False) == 1
    printed = capsys.readouterr()
    assert printed.out == '1\n"two"\n3.0\n"2020-01-02"\n<class \'object\'>\n'
    assert printed.err == "run 5: ValueError: five\n"
    frame = pd.DataFrame({"a": [1, 2]})
    assert show_results(lambda: [np.arange(2), frame], None, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {
        "runs": 2,
        "failed": 0,
        "results": [[0, 1], [{"a": 1}, {"a": 2}]],
    }
    with pytest.raises(SqlExecError, match=r"FILE\.pickle"):
        show_results(lambda: [object()], None, as_json=True)


def test_a_single_exception_has_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> list[Any]:
        raise KeyError("x")

    assert show_results(fails, None, as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["results"] == [{"error": {"type": "KeyError", "message": "'x'"}}]


def test_results_in_files(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    for suffix in ("pickle", "json", "csv", "parquet"):
        show_results(lambda: [frame, frame], tmp_path / f"r.{suffix}", as_json=False)
    with tmp_path.joinpath("r.pickle").open("rb") as file:
        assert len(pickle.load(file)) == 2
    assert pd.read_csv(tmp_path / "r.csv")["a"].tolist() == [1, 2, 1, 2]
    assert pd.read_parquet(tmp_path / "r.parquet")["a"].tolist() == [1, 2, 1, 2]
    with pytest.raises(SqlExecError, match="DataFrames"):
        show_results(lambda: [1], tmp_path / "r.csv", as_json=False)
    with pytest.raises(ConfigurationError, match="expected"):
        show_results(lambda: [1], tmp_path / "r.doc", as_json=False)
