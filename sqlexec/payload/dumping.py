"""Pickle by source or bytecode, and say what is at fault where that fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from sqlexec.errors import PackError
from sqlexec.payload.bytecode import Dumps, bytecode_dumps, dump_by_bytecode
from sqlexec.payload.source.bundle import SourceBundle
from sqlexec.payload.source.pickler import dump_by_source
from sqlexec.payload.syntax import SyntaxTooNew
from sqlexec.runner.blame import culprit, is_picklable
from sqlexec.runner.types import Buffer


def dump_or_blame(
    value: object,
    parts: Callable[[], Mapping[str, object]],
    bundle: SourceBundle | None,
    dumps: Dumps = dump_by_bytecode,
    *,
    first: bool = False,
) -> list[Buffer]:
    """Pickle by source or cloudpickle; on failure find which of the named parts is at fault.

    `dumps` is what pickles by cloudpickle: that of `bytecode_dumps` where there are many values.
    """
    try:
        if bundle is not None:
            return dump_by_source(bundle, value, first=first)
        return dumps(value)
    except SyntaxTooNew:
        raise
    except PackError as error:
        if bundle is None:
            raise
        there, here = (".".join(map(str, each[:2])) for each in (bundle.target, sys.version_info))
        raise PackError(
            f"{error}. The server runs Python {there}, this client {here}, so functions go by "
            f"source; a client of Python {there} sends bytecode, which has not this limit."
        ) from error.__cause__
    except Exception as error:
        where = _where(parts())
        raise PackError(
            f"Cannot send {where} to the server: {type(error).__name__}: {error}. Make it inside "
            "the function instead, or pass something that can be pickled."
        ) from error


def _where(parts: Mapping[str, object]) -> str:
    """Which of the named parts cannot be pickled, and what in it."""
    with bytecode_dumps() as dumps:
        for name, value in parts.items():
            if not is_picklable(value, dumps):
                return culprit(name, value, dumps)
    return "the call"  # each can by itself
