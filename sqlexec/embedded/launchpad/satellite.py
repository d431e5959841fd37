"""What a satellite does: one script, in the real `__main__`, and then it is gone.

    request -> parameters, InputDataSet -> exec -> OUTPUT parameters, OutputDataSet -> reply

Facts it follows: the open Python language extension of SQL Server, and Microsoft's pages on
sp_execute_external_script.  Runs in the interpreter that the user named: standard library and
the syntax of Python 3.6; numpy and pandas only if they are there.
"""

import base64
import datetime
import decimal
import io
import os
import platform
import socket
import sys
import time
import traceback
from typing import Any, Callable, Dict, List, Optional

_wire = sys.modules["_sqlexec_wire"]  # put there by the zygote
_dataframes = sys.modules["_sqlexec_dataframes"]

_MAX_MESSAGE = 1 << 30
_INLINE = 1 << 16  # bytes of a value above which it goes through a shared file
_MAX_ERROR = 1 << 20  # characters of a traceback
_MAX_VALUE = (1 << 31) - 1  # bytes of varbinary(max) and varchar(max)


def serve(connection: socket.socket, codes: Dict[int, Any]) -> None:
    """Wait for one request, run its script in `__main__` and answer."""
    _rehearse()
    try:
        request, descriptors = _wire.receive_with_descriptors(connection, _MAX_MESSAGE)
    except EOFError:
        return  # it was never needed
    _answer(connection, request, descriptors, codes)


def _answer(
    connection: socket.socket, request: Dict[str, Any], descriptors: List[int], codes: Any
) -> None:
    _redirect(descriptors[0], descriptors[1])
    outbox, inbox = [_dataframes.Shared(descriptor) for descriptor in descriptors[2:]]
    reply = _run(request, codes, inbox, outbox)
    _flush()
    _wire.send(connection, reply)


def _rehearse() -> None:
    """Run an empty script while idle, and leave no trace of it.

    After a fork each page of memory costs some microseconds when it is first touched; most of
    those that a script's start touches are paid for here, before the script is there.
    """
    names = dict(sys.modules["__main__"].__dict__)
    request = {
        "script": "pass",
        "input_name": "InputDataSet",
        "output_name": "OutputDataSet",
        "parameters": [{"name": "a", "type": "", "kind": "binary", "value": "", "output": True}],
        "input": None,
    }
    ours, theirs = socket.socketpair()
    with ours, theirs:
        null = os.open(os.devnull, os.O_RDWR)
        _wire.send(ours, request, [null] * 4)
        received, descriptors = _wire.receive_with_descriptors(theirs, _MAX_MESSAGE)
        _answer(ours, received, descriptors, {})
        for descriptor in [null] + descriptors[2:]:
            os.close(descriptor)
    main = sys.modules["__main__"].__dict__
    main.clear()
    main.update(names)


def _redirect(stdout: int, stderr: int) -> None:
    """Give the script files of the server as its console, below Python too."""
    for descriptor, target in ((stdout, 1), (stderr, 2)):
        os.dup2(descriptor, target)
        os.close(descriptor)
    sys.stdin = sys.__stdin__ = open(os.devnull)  # type: ignore[misc]  # noqa: SIM115
    sys.stdout = sys.__stdout__ = _console(1, "strict")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _console(2, "backslashreplace")  # type: ignore[misc]


def _console(descriptor: int, errors: str) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors=errors, newline="\n")


def _hold_console() -> Dict[int, io.StringIO]:
    """Keep what is printed in memory, as the open extension does until a script has ended."""
    sys.stdout, sys.stderr = held = io.StringIO(), io.StringIO()
    return dict(zip((1, 2), held))


def _flush() -> None:
    """Write out what Python and the C library still hold of the console."""
    streams: List[Any] = [sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__]
    for stream in streams:
        try:
            stream.flush()
        except BaseException:  # noqa: BLE001, S110 - a script may have put any object there
            pass
    ctypes = sys.modules.get("ctypes")  # loaded by the zygote where it exists
    if ctypes is not None:
        ctypes.CDLL(None).fflush(None)


def _run(request: Dict[str, Any], codes: Dict[int, Any], inbox: Any, outbox: Any) -> Dict[str, Any]:
    """Run the script, a text or its number in `codes`; the reply, which tells of an error too."""
    script = request["script"]
    compile_time = 0.0
    reply: Dict[str, Any] = {"error": None, "outputs": {}, "frame": None}
    try:
        names = _main_names(request, inbox)
        held = _hold_console() if request.get("memory_console") else {}
        code = codes[script] if isinstance(script, int) else None
        if code is None:
            start = time.perf_counter()
            code = compile(script, "<string>", "exec")
            compile_time = time.perf_counter() - start
        exec(code, names)
        for parameter in request["parameters"]:
            if parameter["output"]:
                value = names.get(parameter["name"])
                reply["outputs"][parameter["name"]] = _out(parameter, value, outbox)
        reply["frame"] = _dataframes.write_frame(
            names.get(request["output_name"]), request["output_name"], outbox
        )
        for descriptor, text in held.items():
            with _console(descriptor, "strict") as stream:
                stream.write(text.getvalue())
    except BaseException as error:  # noqa: BLE001 - sys.exit() fails a call as well
        reply.update(error=_error_text(error), outputs={}, frame=None)
    reply["compile_time"] = compile_time
    return reply


def _error_text(error: BaseException) -> str:
    """The traceback from the script's own first line on."""
    try:
        if isinstance(error, _dataframes.ScriptError):
            return str(error)
        first = error.__traceback__ and error.__traceback__.tb_next  # without the frame of _run
        text = "".join(traceback.format_exception(type(error), error, first))
    except BaseException:  # noqa: BLE001 - an exception's own methods may raise anything
        text = type(error).__name__
    if len(text) > _MAX_ERROR:
        text = text[: _MAX_ERROR // 2] + "\n...\n" + text[-_MAX_ERROR // 2 :]
    return text


# --- in ----------------------------------------------------------------------------------


def _main_names(request: Dict[str, Any], inbox: Any) -> Dict[str, Any]:
    """The namespace of `__main__` with the names that the real runtime sets before a script."""
    names = sys.modules["__main__"].__dict__
    names.update(os=os, sys=sys, platform=platform, StringIO=io.StringIO)
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None:
        names["np"] = numpy
    if pandas is not None:
        names["DataFrame"] = pandas.DataFrame
        names[request["input_name"]] = pandas.DataFrame()
        names[request["output_name"]] = pandas.DataFrame()
    if request["input"] is not None:
        names[request["input_name"]] = _dataframes.read_frame(request["input"], inbox)
    for parameter in request["parameters"]:
        names[parameter["name"]] = _value(parameter["kind"], parameter["value"], inbox)
    return names


def _value(kind: str, value: Any, inbox: Any) -> Any:
    """A parameter's value, sent inline or as a place in the shared file."""
    if value is None:
        return None
    if isinstance(value, dict):
        data = inbox.read(value["at"], value["size"])
        return data if kind == "binary" else data.decode("utf-8", "surrogatepass")
    if kind == "binary":
        return base64.b64decode(value)
    if kind == "date":
        return datetime.date(*value)
    if kind == "datetime":
        return datetime.datetime(*value)
    return value


# --- out ---------------------------------------------------------------------------------


def _out(parameter: Dict[str, Any], value: Any, outbox: Any) -> Any:
    """An OUTPUT parameter's value as JSON, or its place in the shared file."""
    if value is None:
        return None
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()  # numpy's scalars
    kind = parameter["kind"]
    if not isinstance(value, _ACCEPTED[kind]):
        raise _dataframes.ScriptError(
            "OUTPUT parameter @{} of type {} cannot take a Python {}.".format(
                parameter["name"], parameter["type"], type(value).__name__
            )
        )
    return _ENCODERS[kind](value, outbox)


def _binary_out(value: Any, outbox: Any) -> Any:
    data = memoryview(value)
    data = data.cast("B") if data.c_contiguous and data.nbytes else memoryview(bytes(data))
    if len(data) <= _INLINE:
        return base64.b64encode(data).decode("ascii")
    if len(data) > _MAX_VALUE:
        raise _dataframes.ScriptError("An OUTPUT value of {} bytes exceeds 2 GB.".format(len(data)))
    return {"at": outbox.append(data), "size": len(data)}


def _text_out(value: str, outbox: Any) -> Any:
    data = value.encode("utf-8")  # a lone surrogate is an error of the script
    if len(data) <= _INLINE:
        return value
    if len(data) > _MAX_VALUE:
        raise _dataframes.ScriptError("An OUTPUT value of {} bytes exceeds 2 GB.".format(len(data)))
    return {"at": outbox.append(data), "size": len(data)}


def _int_out(value: Any, outbox: Any) -> int:
    number = int(value)
    if not -(1 << 63) <= number < 1 << 63:
        raise _dataframes.ScriptError("An OUTPUT value does not fit into bigint.")
    return number


def _float_out(value: Any, outbox: Any) -> Optional[float]:
    number = float(value)
    return number if number - number == 0 else None  # NaN and infinities are NULL


def _date_out(value: datetime.date, outbox: Any) -> List[int]:
    return [value.year, value.month, value.day]


def _datetime_out(value: Any, outbox: Any) -> List[int]:
    time_of_day = value.timetuple()[3:6]
    return _date_out(value, outbox) + list(time_of_day) + [getattr(value, "microsecond", 0)]


_NUMBERS = (bool, int, float, decimal.Decimal)
_ACCEPTED: Dict[str, Any] = {
    "bit": _NUMBERS,
    "int": _NUMBERS,
    "float": _NUMBERS,
    "text": str,
    "binary": (bytes, bytearray, memoryview),
    "date": datetime.date,
    "datetime": datetime.date,
}
_ENCODERS: Dict[str, Callable[[Any, Any], Any]] = {
    "bit": lambda value, outbox: bool(value),
    "int": _int_out,
    "float": _float_out,
    "text": _text_out,
    "binary": _binary_out,
    "date": _date_out,
    "datetime": _datetime_out,
}
