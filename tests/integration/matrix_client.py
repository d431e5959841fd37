"""A user's script, run by each Python of the matrix: what does not come back as it should, as JSON.

    python matrix_client.py SERVER < CONNECTION_STRING
    {"server": "3.7.16", "client": "3.13.0", "wrong": {job: what was wrong}}

Functions of `__main__` and of a module of the user's, values of every kind, exceptions, console,
warnings and rows go to the server in few calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import enum
import functools
import io
import json
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

import sqlexec
from sqlexec import RxComputeContext, RxInSqlServer, RxSqlServerData, rx_exec
from tests.runner import source_jobs
from tests.runner.codec_values import NEWER, NUMPY, PANDAS, PLAIN, USERS, assert_same, infer_string

FACTOR = 3


class Refused(Exception):
    """An exception of the user's own."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text, code)
        self.code = code


@dataclasses.dataclass(order=True)
class Point:
    x: int | None = None
    more: list[int] = dataclasses.field(default_factory=list)

    def moved(self, by: int = 1) -> Point:
        return dataclasses.replace(self, x=(self.x or 0) + by)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Unit(bytes, enum.Enum):
    KM = (1, "kilometres")
    M = (2, "metres")

    def __new__(cls, value: int, label: str) -> Unit:
        member = bytes.__new__(cls, [value])
        member._value_ = value
        member.label = label
        return member


def shouted(function: Callable[..., str]) -> Callable[..., str]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> str:
        return function(*args, **kwargs).upper()

    return wrapper


@shouted
def named(name: str = "a", *, times: int = FACTOR) -> str:
    """Repeat a name."""
    return name * times


def about_named() -> list[Any]:
    return [named(), named.__name__, named.__doc__]


def factorial(n: int) -> int:
    return 1 if n < 2 else n * factorial(n - 1)


def squares(count: int) -> Iterator[int]:
    for each in range(count):
        yield each * each


async def later(x: int) -> int:
    return x + 1


def waited() -> int:
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(later(1))
    finally:
        loop.close()


def closure(start: int) -> Callable[[], int]:
    count = start

    def step() -> int:
        nonlocal count
        count += 1
        return count

    return step


def local_class() -> Callable[[], Any]:
    class Local(Point):
        def twice(self) -> int:
            return 2 * super().moved().x

    return lambda: Local(2).twice()


FUNCTIONS: dict[str, Callable[[], Any]] = {
    "function": lambda: factorial(5) * FACTOR,
    "lambda": lambda: [Level.HIGH + 1, Level(2).name],
    "enum": lambda: [Unit(2).label, Unit.M == b"\x02", Unit["KM"].value],
    "decorated": about_named,
    "partial": functools.partial(named, "b", times=2),
    "closure": closure(3),
    "generator": lambda: list(squares(4)),
    "async": waited,
    "method": Point(1).moved,
    "class": Point,
    "local class": local_class(),
    "module": source_jobs.all_of_it,
    "numpy": lambda: float(np.arange(3.0).sum()),
}


def call(function: Callable[[], Any]) -> Any:
    return function()


def same(value: Any) -> Any:
    return value


def refuse(x: int) -> None:
    try:
        {}["missing"]
    except KeyError as error:
        raise Refused("below nothing", x) from error


def talk() -> None:
    import logging
    import sys
    import warnings

    print("gr\u00fc\u00df \u2192")
    print("to stderr", file=sys.stderr)
    logging.getLogger("talk").error("logged")
    warnings.warn("take care", RuntimeWarning, stacklevel=1)


def summed(rows: Any, extra: pd.DataFrame) -> pd.DataFrame:
    from revoscalepy import rx_data_step

    frame = rx_data_step(rows)
    frame["total"] = frame["a"] + extra["b"].iloc[0]
    return frame


def functions(server: sqlexec.Runtime, cc: RxComputeContext) -> None:
    """Functions and classes of each kind, of a script and of a module; 3.6 has no dataclasses."""
    wanted = dict(FUNCTIONS)
    if not has_pandas():
        del wanted["numpy"]
    if version_of(server) < (3, 7):
        for name in ("method", "class", "local class"):
            with raises(
                Exception,
                r"needs the package 'dataclasses' .of the client., which the server's Python 3\.6",
            ):
                rx_exec(wanted.pop(name), compute_context=cc)
    expected = {name: each() for name, each in wanted.items()}
    runs = [{"function": each} for each in wanted.values()]
    found = dict(zip(wanted, rx_exec(call, args=runs, compute_context=cc), strict=True))
    assert found == {**expected, "closure": expected["closure"] + 1}, found
    assert rx_exec(lambda: __name__, compute_context=cc) == ["__main__"]
    transport = "bytecode" if version_of(server) == sys.version_info[:2] else "source"
    assert sqlexec.runtime(cc).transport == transport


def values(server: sqlexec.Runtime, cc: RxComputeContext) -> None:
    """Each value comes back as it was."""
    kinds, _ = values_for(server)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        runs = [{"value": each} for each in kinds.values()]
        found = dict(zip(kinds, rx_exec(same, args=runs, compute_context=cc), strict=True))
    wrong = {name: text for name in kinds if (text := difference(found[name], kinds[name]))}
    assert not wrong, wrong


def newer_values(server: sqlexec.Runtime, cc: RxComputeContext) -> None:
    """What old packages lack comes back as it was, or a warning or an error tells."""
    kinds = values_for(server)[1]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runs = [{"value": each} for each in kinds.values()]
        found = dict(zip(kinds, rx_exec(same, args=runs, compute_context=cc), strict=True))
    told = [str(each.message) for each in caught if each.category is UserWarning]
    errors = {name: each for name, each in found.items() if isinstance(each, Exception)}
    changed = {
        name: text
        for name, each in found.items()
        if name not in errors and (text := difference(each, kinds[name]))
    }
    assert all("dtype" in str(each).lower() for each in errors.values()), errors
    assert bool(changed) <= bool(told), changed  # tests/runner/test_codec_peers.py looks at each


def values_for(server: sqlexec.Runtime) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values that cross exactly, and those that may come in another form, which is then told."""
    kinds = {**PLAIN, **NUMPY, **PANDAS} if has_pandas() else dict(PLAIN)
    newer = dict(NEWER) if has_pandas() else {}
    if version_of(server) < (3, 7):
        newer["safe UUID"] = kinds.pop("safe UUID")
    else:
        kinds.update(USERS)
    return kinds, newer


def exceptions(server: sqlexec.Runtime, cc: RxComputeContext) -> None:
    """An exception of the user's own, with its cause and the line that raised it."""
    with raises(Refused, "below nothing") as caught:
        rx_exec(refuse, args={"x": 7}, compute_context=cc)
    (error,) = caught
    assert error.args == ("below nothing", 7)
    assert error.code == 7
    assert type(error.__cause__) is KeyError
    text = "".join(traceback.format_exception(error))
    line = refuse.__code__.co_firstlineno + 4
    shown = f'File "{__file__}", line {line}, in refuse\n    raise Refused("below nothing", x)'
    assert shown in text, text


def console_and_warnings(server: sqlexec.Runtime, cc: RxComputeContext) -> None:
    """Printed lines and warnings come here."""
    out = io.StringIO()
    error = io.StringIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            rx_exec(talk, compute_context=cc, console_output=True)
    written = out.getvalue() + error.getvalue()
    for each in ("gr\u00fc\u00df \u2192", "to stderr", "logged"):
        assert each in written, written
    assert [(each.category, str(each.message)) for each in caught] == [
        (RuntimeWarning, "take care")
    ]


def rows(server: sqlexec.Runtime, cc: RxComputeContext) -> None:
    """Rows of a query go in, a frame beside them, a frame comes back."""
    query = "SELECT 1 AS a, 0.5E0 AS f, N'\u00e4' AS t UNION ALL SELECT 2, NULL, N''"
    arguments = {"rows": RxSqlServerData(sql_query=query), "extra": pd.DataFrame({"b": [10]})}
    if not has_pandas():
        with raises(Exception, "pandas"):
            rx_exec(summed, args=arguments, compute_context=cc)
        return
    (frame,) = rx_exec(summed, args=arguments, compute_context=cc)
    frame = frame.sort_values("a", ignore_index=True)
    assert frame["a"].tolist() == [1, 2]
    assert frame["f"].isna().tolist() == [False, True]
    assert frame["t"].iloc[0] == "\u00e4"
    assert frame["total"].tolist() == [11, 12]


def has_pandas() -> bool:
    return "pandas" in sys.argv[1]


def version_of(server: sqlexec.Runtime) -> tuple[int, ...]:
    return tuple(map(int, server.python.split(".")[:2]))


def difference(found: Any, wanted: Any) -> str:
    """What differs, "" if nothing does."""
    try:
        assert_same(found, wanted)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}: {found!r:.200}"
    return ""


@contextlib.contextmanager
def raises(kind: type[BaseException], pattern: str) -> Iterator[list[Any]]:
    """As pytest.raises, which is not installed here; gives a list for the exception."""
    caught: list[Any] = []
    try:
        yield caught
    except kind as error:
        caught.append(error)
    assert caught, "nothing was raised"
    assert re.search(pattern, str(caught[0])), str(caught[0])


JOBS = (functions, values, newer_values, exceptions, console_and_warnings, rows)


def main(connection_string: str) -> None:
    """Do all jobs and tell."""
    infer_string(False)  # as the values were made
    cc = RxInSqlServer(connection_string)
    wrong = {}
    server = sqlexec.runtime(cc)
    for job in JOBS:
        try:
            job(server, cc)
        except Exception:
            wrong[job.__name__] = traceback.format_exc()
    json.dump(
        {"server": server.python, "client": sys.version.split()[0], "wrong": wrong}, sys.stdout
    )


if __name__ == "__main__":
    main(sys.stdin.read())
