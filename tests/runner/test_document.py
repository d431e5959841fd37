"""docs/payload.md says what the code does: its tables and bytes are compared with it."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from sqlexec.payload import Packer
from sqlexec.runner import loading, values
from sqlexec.runner.functions import definition_names
from sqlexec.runner.main import PROTOCOL, run_chunk
from sqlexec.runner.main import runtime as own_runtime
from sqlexec.runner.wire import LARGEST, REQUEST, RESULT, WIRE_VERSION, join_frame, split_frame
from sqlexec.tasks import Task

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "payload.md").read_text("utf-8")


def lines(data: bytes) -> str:
    found = []
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        codes = " ".join(f"{each:02x}" for each in part)
        shown = "".join(chr(each) if 32 <= each < 127 else "." for each in part)
        found.append(f"{at:04x}  {codes:<47}  {shown}\n")
    return "".join(found)


def section(title: str) -> str:
    return TEXT.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(text: str) -> dict[str, str]:
    """Names in the first column, and the column after it."""
    found = {}
    for names, other in re.findall(r"^\| (`.*?`) \| (.*?) \|", text, re.MULTILINE):
        found.update(dict.fromkeys(re.findall(r"`([^`]*)`", names), other))
    return found


def test_the_frame_of_the_example() -> None:
    frame = join_frame(RESULT, {"count": 0}, [b"abc"], bytes(range(32)))
    assert lines(frame) in TEXT
    assert f"`WIRE_VERSION`, {WIRE_VERSION}" in TEXT
    assert LARGEST == 2**31 - 1025


def test_the_value_of_the_example() -> None:
    (piece,) = values.dump(memoryview(b"ab"))
    assert lines(bytes(piece)) in TEXT


def test_every_rebuilder_with_its_arguments() -> None:
    tables: dict[str, Any] = {}
    for make in (
        loading.plain_rebuilders,
        loading.exact_rebuilders,
        loading.exception_rebuilders,
        loading.numpy_rebuilders,
        loading.pandas_rebuilders,
        loading.scipy_rebuilders,
    ):
        tables.update(make())
    wanted = {
        name: ", ".join(list(inspect.signature(each).parameters)[1:])
        for name, each in tables.items()
    }
    assert rows(section("Dumped value").partition("### Functions")[0]) == wanted


def test_every_name_that_definitions_are_made_with() -> None:
    stated = {each.partition("(")[0] for each in rows(section("Dumped value")) if "(" in each}
    assert stated == set(definition_names())


@pytest.mark.parametrize("version", [None, (3, 7)])
def test_every_entry_of_a_payload(version: Any) -> None:
    packer = Packer(lambda x: x, input_argument="rows")
    runtime = {"python": version, "packages": {}} if version else None
    tasks = [Task(0, {"x": 1})]
    header, _ = split_frame(packer.chunk(tasks, runtime), REQUEST)
    _, (durable,) = packer.job([tasks], runtime or own_runtime(), "output")
    stated = rows(section("Payload").partition("Body,")[0])
    assert set(header) == set(stated) - {"shared"}
    assert set(split_frame(durable, REQUEST)[0]) == set(stated)
    assert stated["protocol"] == f"`PROTOCOL`, {PROTOCOL}"


def test_every_entry_of_a_result() -> None:
    packer = Packer(lambda x: 1 // x)
    result, _ = run_chunk(packer.chunk([Task(0, {"x": 1}), Task(1, {"x": 0})]))
    header, _ = split_frame(result, RESULT, packer.key)
    broken, _ = split_frame(run_chunk(b"")[0], RESULT)
    stated = rows(section("Result").partition("Body:")[0])
    assert set(header) | set(broken) == set(stated)
    for entry, name in ((header["runtime"], "runtime"), (header["errors"]["1"], "errors")):
        assert set(entry) <= set(re.findall(r"\w+", stated[name])), name
    assert json.loads(json.dumps(header)) == header
