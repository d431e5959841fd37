"""The T-SQL side's folders import only those below them, as its __init__ draws it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import sqlexec.embedded.tsql

ROOT = Path(sqlexec.embedded.tsql.__file__).parent
FLOORS = ["run", "procedures", "queries", "definitions", "translate", "scalar", "syntax"]


def imports() -> Iterator[tuple[str, str, str]]:
    """(folder, imported folder, where) of each import that runs; those for types alone do not."""
    for path in sorted(ROOT.rglob("*.py")):
        own = path.relative_to(ROOT).parts[0]
        tree = ast.parse(path.read_text())
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for node in [*tree.body, *(inner for outer in functions for inner in ast.walk(outer))]:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                "sqlexec.embedded.tsql."
            ):
                other = str(node.module).split(".")[3]
                yield own, other, f"{path.relative_to(ROOT)}:{node.lineno} imports {node.module}"


def test_imports_look_down() -> None:
    found = list(imports())
    assert {own for own, _, _ in found} >= set(FLOORS)
    order = {name: floor for floor, name in enumerate(FLOORS)}
    wrong = [where for own, other, where in found if order.get(other, 99) < order.get(own, 99)]
    assert not wrong
