"""Names for types in the runner's annotations; no part of the script, which has none."""

from typing import Any, Callable, Dict, List, Tuple, Union

Buffer = Union[bytes, bytearray, memoryview]
Dumps = Callable[..., bytes]
Aliases = Callable[[str], Any]
Lines = List[Tuple[str, str]]
WarningKey = Tuple[str, str, str, int, str]  # category, text, file, line, module
Names = Union[str, List[str], None]
Function = Callable[..., Any]
Segment = Tuple[str, str, int, str]  # kind, file, first line, text
Frame = List[Any]  # file, line, function, first line to show, module
Sender = Dict[str, Any]
Reduced = Tuple[Any, ...]
