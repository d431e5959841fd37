"""The runner as one script, for @script of sp_execute_external_script.

sqlexec/runner/*.py --(imports between them left out, one after the other)--> one function
that the script defines and calls: it works in `__main__` and as the body of a function,
leaves no name behind, and is one code object to compile.
"""

from __future__ import annotations

import ast
from importlib.resources import files

MODULES = (  # each after those that it imports
    "wire",
    "values",
    "console",
    "failures",
    "randomness",
    "pickler",
    "data_step",
    "revoscalepy",
    "main",
)

_HEAD = """\
# sqlexec runner {version}: runs the tasks of one chunk; see sqlexec/runner in the source.
# bytes in: payload; rows in: InputDataSet; out: result, result_length, failed_count
result, result_length, failed_count = b"", 0, 0
def sqlexec_runner():
"""
_TAIL = """\
    return run_chunk
try:
    result, failed_count = sqlexec_runner()(payload, InputDataSet)
    result_length = len(result)
finally:
    del sqlexec_runner
"""


def render() -> str:
    """The script's text: deterministic, LF only, without non-ASCII characters.

    Example
    -------
    >>> "def run_chunk" in render()
    True
    """
    from sqlexec import __version__

    body = "".join(_indent(_without_own_imports(_read(name))) for name in MODULES)
    return _HEAD.format(version=__version__) + body + _TAIL


def _read(name: str) -> str:
    return (files("sqlexec.runner") / f"{name}.py").read_text(encoding="ascii")


def _without_own_imports(source: str) -> str:
    """The source without its docstring and its imports of other runner modules."""
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    for node in tree.body:
        own = isinstance(node, ast.ImportFrom) and str(node.module).startswith("sqlexec.")
        if own or node is tree.body[0]:
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = ""
    return "".join(lines)


def _indent(source: str) -> str:
    return "".join("    " + line if line.strip() else "" for line in source.splitlines(True))
