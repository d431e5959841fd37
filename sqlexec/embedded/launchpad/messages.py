"""What a script request says to a satellite, and what may be believed of its reply.

    ScriptRequest -- encode_request --> JSON + shared file --> satellite.py
    ScriptResult  <- decode_reply ---- JSON + shared file <--

A parameter has one of a few kinds; small values stand in the JSON itself, large ones in the
shared file.  A reply comes from a process that ran anybody's script: each value is checked
against the kind that was asked for, and each place against the size of the file.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import uuid
from decimal import Decimal
from typing import Any

from sqlexec.embedded.launchpad.columns import FrameError, read_columns, write_columns
from sqlexec.embedded.launchpad.request import ScriptParameter, ScriptRequest, ScriptResult
from sqlexec.embedded.launchpad.shared import SharedFile
from sqlexec.embedded.sqltypes import SqlType

INLINE = 1 << 16  # bytes of a value above which it goes through the shared file
MAX_VALUE = (1 << 31) - 1  # bytes of a (max) value


class ProtocolError(Exception):
    """A satellite's reply does not hold together; the script may have written it."""


def parameter_kind(type: SqlType) -> str | None:
    """How values of a T-SQL type reach a script; None for a type that does not (39018)."""
    if type.is_integer:
        return "int"
    if type.name in ("timestamp", "xml"):
        return None
    if type.is_text or type.name == "uniqueidentifier":
        return "text"
    if type.is_binary:
        return "binary"
    return {
        "bit": "bit",
        "real": "float",
        "float": "float",
        "decimal": "float",
        "money": "float",
        "smallmoney": "float",
        "date": "date",
        "datetime": "datetime",
        "smalldatetime": "datetime",
    }.get(type.name)


def encode_request(request: ScriptRequest, inbox: SharedFile) -> dict[str, Any]:
    """The message for `satellite.serve`; large values and the input's columns go into `inbox`.

    Errors of the input's stream (the query is run here) pass through.
    """
    parameters = [
        {
            "name": parameter.name,
            "type": str(parameter.type),
            "kind": parameter_kind(parameter.type),
            "value": _encode(parameter.value, inbox),
            "output": parameter.output,
        }
        for parameter in request.parameters
    ]
    columns = None
    if request.input is not None:
        columns = write_columns(inbox, request.input_columns, request.input)
    return {
        "script": request.script,
        "input_name": request.input_name,
        "output_name": request.output_name,
        "parameters": parameters,
        "input": columns,
    }


def _encode(value: object, inbox: SharedFile) -> object:
    if isinstance(value, (bytes, bytearray, memoryview)):
        if len(value) <= INLINE:
            return base64.b64encode(value).decode("ascii")
        return _place(value, inbox)
    if isinstance(value, str):
        return (
            value if len(value) <= INLINE else _place(value.encode("utf-8", "surrogatepass"), inbox)
        )
    if isinstance(value, datetime.datetime):
        return [*value.timetuple()[:6], value.microsecond]
    if isinstance(value, datetime.date):
        return [value.year, value.month, value.day]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, uuid.UUID):
        return str(value).upper()
    return value


def _place(data: bytes | bytearray | memoryview, inbox: SharedFile) -> dict[str, int]:
    region = inbox.region()
    region.append(data)
    return {"at": region.start, "size": region.size}


# --- the reply ---------------------------------------------------------------------------


def decode_reply(
    request: ScriptRequest, reply: dict[str, Any], outbox: SharedFile, *, cut: int = 0
) -> ScriptResult:
    """The result that a reply tells of; ProtocolError where it does not hold together.

    `cut` is the quirk of old runtimes: bytes after which varbinary OUTPUT values end, 0 for none.
    """
    result = ScriptResult()
    error = reply.get("error")
    if error is not None:
        result.error = _checked(error, str).encode("utf-8", "backslashreplace").decode()
        return result
    view = outbox.view()
    outputs = _checked(reply.get("outputs"), dict)
    for parameter in request.parameters:
        if parameter.output:
            value = _decode(parameter, outputs.get(parameter.name), view)
            if cut and isinstance(value, (bytes, memoryview)):
                value = value[:cut]
            result.outputs[parameter.name] = value
    if reply.get("frame") is not None:
        try:
            result.columns, result.batch = read_columns(reply["frame"], view)
        except FrameError as broken:
            raise ProtocolError(str(broken)) from None
    return result


def _decode(parameter: ScriptParameter, value: object, view: memoryview) -> object:
    if value is None:
        return None
    kind = parameter_kind(parameter.type)
    if kind in ("text", "binary") and isinstance(value, dict):
        data = _taken(value, view)
        return data if kind == "binary" else _text(data)
    if kind == "binary":
        try:
            return base64.b64decode(_checked(value, str), validate=True)
        except (binascii.Error, ValueError):
            raise ProtocolError("an OUTPUT value is no base64") from None
    if kind == "text":
        return _text(memoryview(_checked(value, str).encode("utf-8", "surrogatepass")))
    if kind == "bit":
        return _checked(value, bool)
    if kind == "int":
        return _checked(value, int)
    if kind == "float":
        return float(_checked(value, float))
    return _moment(value, 7 if kind == "datetime" else 3)


def _taken(place: dict[str, object], view: memoryview) -> memoryview:
    at, size = _checked(place.get("at"), int), _checked(place.get("size"), int)
    if at < 0 or not 0 <= size <= MAX_VALUE or at + size > len(view):
        raise ProtocolError("an OUTPUT value lies outside the shared file")
    return view[at : at + size]


def _text(data: memoryview) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise ProtocolError("an OUTPUT value is not UTF-8") from None


def _moment(value: object, length: int) -> datetime.date:
    numbers = _checked(value, list)
    if any(type(number) is not int for number in numbers) or len(numbers) < 3:
        raise ProtocolError("an OUTPUT value is no date")
    try:
        if length == 3:
            return datetime.date(*numbers[:3])
        return datetime.datetime(*numbers[:7])
    except (ValueError, OverflowError, TypeError):
        raise ProtocolError("an OUTPUT value is no date") from None


def _checked(value: object, kind: type[Any]) -> Any:
    if type(value) is not kind:
        raise ProtocolError(f"a {kind.__name__} is missing in the reply")
    return value
