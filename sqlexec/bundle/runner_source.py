"""The runner as scripts, for @script of sp_execute_external_script.

sqlexec/runner/*.py --(without annotations, one after the other)--> one function
that the script defines and calls: it works in `__main__` and as the body of a function,
leaves no name behind, and is one code object to compile.

render          runs the tasks of a chunk
render_stored   runs a stored script
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

Position = tuple[int, int]  # line from 1, column from 0
Span = tuple[Position, Position]

MODULES = (  # each after those that it imports
    "wire",
    ("codec_exceptions",),
    ("codec_plain",),
    ("codec_numpy_random", "codec_numpy"),
    ("codec_pandas_times", "codec_pandas_texts", "codec_pandas_arrays", "codec_pandas"),
    ("codec_scipy",),
    "codec_exact",
    "values",
    "loading",
    "batch",
    ("blame",),
    "console",
    ("frames", "failures"),
    "forks",
    ("limits",),
    ("passthrough",),
    "randomness",
    "scope",
    "calls",
    "pickler",
    "definition_code",
    "namespaces",
    "imports",
    "functions",
    ("data_step", "pema", "revoscalepy"),
    "stand_in",
    "warned",
    "gathering",
    "chunk",
    "main",
    "surroundings",
    "way_out",
)  # those in parentheses are compiled at their first use: few chunks need them
STORED_MODULES = ("limits", "stored")

_HEAD = """\
# sqlexec runner {version}: runs the tasks of one chunk; see sqlexec/runner in the source.
# in: payload, shared (bytes); longest_run_seconds, seconds_left (0: no limit); first_place,
# task_count (0: all) of those of its tasks that are to run; rows in: InputDataSet
# out: result, result_length, header_length, failed_count, probe, input_rows
# rows out: OutputDataSet, where the result leaves in rows
result, result_length, header_length, failed_count, probe, input_rows = b"", 0, 0, 0, b"", 0
def sqlexec_runner():
"""
_STORED_HEAD = """\
# sqlexec {version}: runs a stored script; see sqlexec/runner/stored.py in the source.
# in: source, script_name, args_json, longest_run_seconds (0: no limit); rows in: InputDataSet
# out: result_json
result_json = ""
def sqlexec_runner():
"""
_STORED_TAIL = """\
    return run_stored
try:
    sqlexec_input = InputDataSet
except NameError:  # a runtime that sets no name where there is no input query
    sqlexec_input = None
try:
    result_json = sqlexec_runner()(
        source, script_name, args_json, sqlexec_input, longest_run_seconds
    )
finally:
    del sqlexec_runner, sqlexec_input
"""
_LATER = """\
def _{name}(entry, scope={{"__name__": __name__, "__sqlexec__": 1, {scope}}}):
    def call(*arguments):
        if entry not in scope:
            text = "if True:" + _{name}_text
            exec(compile(text, call.__code__.co_filename, "exec"), scope)
        return scope[entry](*arguments)
    return call
_{name}_text = r'''
{text}
'''
"""
_TAIL = """\
    return run_script
try:
    sqlexec_input = InputDataSet
except NameError:  # a runtime that sets no name where there is no input query
    sqlexec_input = None
sqlexec_rows = None
try:
    result, result_length, header_length, failed_count, probe, input_rows, sqlexec_rows = (
        sqlexec_runner()(
            payload, shared, sqlexec_input, longest_run_seconds, seconds_left, first_place,
            task_count
        )
    )
    if sqlexec_rows is not None:
        OutputDataSet = sqlexec_rows
finally:
    del sqlexec_runner, sqlexec_input, sqlexec_rows
"""


@cache
def render() -> str:
    """The script's text: deterministic, LF only, without non-ASCII characters.

    Example
    -------
    >>> "def run_chunk" in render()
    True
    """
    from sqlexec.version import __version__

    body = "".join(
        _indent(_trimmed(_read(part)) if isinstance(part, str) else _later(part))
        for part in MODULES
    )
    return _HEAD.format(version=__version__) + body + _TAIL


@cache
def render_stored() -> str:
    """The text of the script that runs a stored script, as deterministic as `render`'s.

    Example
    -------
    >>> "def run_stored" in render_stored()
    True
    """
    from sqlexec.version import __version__

    body = "".join(_indent(_trimmed(_read(name))) for name in STORED_MODULES)
    return _STORED_HEAD.format(version=__version__) + body + _STORED_TAIL


def _later(names: tuple[str, ...]) -> str:
    """Modules as text, and functions of the same names as theirs that compile it when called.

    The functions are those that modules outside of the group import.
    """
    imports = {name: _imports(name) for name in _all_modules()}
    inside = [each for name in names for source, each in imports[name] if source not in names]
    outside = {
        each
        for name in imports.keys() - set(names)
        for source, each in imports[name]
        if source in names
    }
    text = "\n".join(_trimmed(_read(name)) for name in names)
    if "'''" in text:
        raise ValueError(f"the runner's {names} have three quotes in a row, which end their text")
    scope = ", ".join(f'"{name}": {name}' for name in sorted(set(inside)))
    made = "\n".join(f'{name} = _{names[-1]}("{name}")' for name in sorted(outside))
    return _LATER.format(name=names[-1], text=text, scope=scope) + made + "\n"


def _all_modules() -> Iterator[str]:
    for part in MODULES:
        yield from (part,) if isinstance(part, str) else part


@cache
def _imports(name: str) -> list[tuple[str, str]]:
    """Module and name of each import from another module of the runner, types left out."""
    return [
        (str(node.module).rpartition(".")[2], alias.name)
        for node in ast.parse(_read(name)).body
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("sqlexec.runner.")
        for alias in node.names
        if node.module != "sqlexec.runner.types"
    ]


def _read(name: str) -> str:
    return (files("sqlexec.runner") / f"{name}.py").read_text(encoding="ascii")


def _trimmed(source: str) -> str:
    """The source without its docstring, imports of types and runner modules, and annotations.

    A process that runs one chunk has no use for annotations: to evaluate them would cost it
    more than to define all else.
    """
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    for start, end in sorted((*_unused(tree), *_annotations(tree)), reverse=True):
        (first, begin), (last, stop) = start, end
        lines[first - 1 : last] = [lines[first - 1][:begin] + lines[last - 1][stop:]]
    return "".join(lines)


def _unused(tree: ast.Module) -> Iterator[Span]:
    yield _span(tree.body[0])
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(("sqlexec.", "typing")):
            yield _span(node)


def _annotations(tree: ast.Module) -> Iterator[Span]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation:
            start = (node.lineno, node.col_offset + len(node.arg))
            yield start, _span(node.annotation)[1]
        elif isinstance(node, ast.FunctionDef) and node.returns:
            (line, column), end = _span(node.returns)
            yield (line, column - len(" -> ")), end


def _span(node: ast.expr | ast.stmt) -> Span:
    return (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)


def _indent(source: str) -> str:
    lines = "".join("    " + line if line.strip() else "\n" for line in source.splitlines(True))
    return re.sub(r"\n{3,}", "\n\n", lines)
