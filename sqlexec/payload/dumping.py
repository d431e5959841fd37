"""Pickle by source or bytecode, and say what is at fault where that fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from sqlexec.errors import PackError
from sqlexec.payload.bytecode import Dumps, bytecode_dumps
from sqlexec.payload.source.bundle import SourceBundle
from sqlexec.payload.source.pickler import dump_by_source
from sqlexec.payload.syntax import SyntaxTooNew
from sqlexec.payload.whole_modules import WholeModules
from sqlexec.runner.blame import culprit, is_picklable
from sqlexec.runner.types import Buffer


def dumping(bundle: WholeModules, *, first: bool = False) -> AbstractContextManager[Dumps]:
    """Gives what pickles values as that bundle's; `first` what the server loads before all."""
    if isinstance(bundle, SourceBundle):
        return nullcontext(partial(dump_by_source, bundle, first=first))
    return bytecode_dumps(bundle)


def dump_or_blame(
    value: object,
    parts: Callable[[], Mapping[str, object]],
    bundle: WholeModules,
    dumps: Dumps,
) -> list[Buffer]:
    """Pickle by source or cloudpickle; on failure find which of the named parts is at fault."""
    try:
        return dumps(value)
    except SyntaxTooNew:
        raise
    except PackError as error:
        if not isinstance(bundle, SourceBundle):
            raise
        there, here = (".".join(map(str, each[:2])) for each in (bundle.target, sys.version_info))
        where = _where(parts(), bundle)
        reached = f" It is reached by {where}." if " of " in where.partition(" (")[0] else ""
        raise PackError(
            f"{error}.{reached} The server runs Python {there}, this client {here}, so functions "
            f"go by source; a client of Python {there} sends bytecode, which has not this limit."
        ) from error.__cause__
    except Exception as error:
        raise PackError(
            f"Cannot send {_where(parts(), bundle)} to the server: {type(error).__name__}: "
            f"{error}. Make it inside the function instead, or pass something that can be pickled."
        ) from error


def _where(parts: Mapping[str, object], bundle: WholeModules) -> str:
    """Which of the named parts cannot be pickled, and what in it."""
    with dumping(bundle) as dumps:
        for name, value in parts.items():
            if not is_picklable(value, dumps):
                return culprit(name, value, dumps)
    return "the call"  # each can by itself
