"""Values to bytes and back: one pickle, and the big buffers beside it instead of in it.

A dumped value is a list of pieces.  The first is the pickle, the others are the buffers that
it refers to (protocol 5, "out of band": the memory of an array is never copied into the
pickle).  An empty pickle says that the value is `bytes`, and they are the second piece.
"""

import io
import pickle
from typing import Any, Callable, Dict, List, Optional, Sequence

from sqlexec.runner.types import Aliases, Buffer, Dumps

OUT_OF_BAND = pickle.HIGHEST_PROTOCOL >= 5
BIG = 65536  # bytes from which on a plain bytes value is passed beside the pickle


def dump(value: Any, dumps: Dumps = pickle.dumps) -> List[Buffer]:
    """Pickle a value; `dumps` is pickle.dumps or cloudpickle.dumps. Its errors pass through."""
    if type(value) is bytes and len(value) >= BIG:
        return [b"", value]
    if not OUT_OF_BAND:
        return [dumps(value, protocol=4)]
    pieces = [b""]  # type: List[Buffer]
    pieces[0] = dumps(value, protocol=5, buffer_callback=lambda part: pieces.append(part.raw()))
    return pieces


def load(pieces: Sequence[memoryview], aliases: Optional[Aliases] = None) -> Any:
    """Rebuild a dumped value. Arrays get memory of their own, so that they can be written to.

    `aliases` maps names of the package sqlexec to what is taken for them.
    """
    if not len(pieces[0]):
        return bytes(pieces[1])
    buffers = [bytearray(piece) for piece in pieces[1:]]
    if aliases:
        return _Unpickler(io.BytesIO(pieces[0]), buffers, aliases).load()
    if buffers:
        return pickle.loads(pieces[0], buffers=buffers)
    return pickle.loads(pieces[0])


class _Unpickler(pickle.Unpickler):
    """An unpickler that takes other objects for names of the package sqlexec."""

    def __init__(self, stream: Any, buffers: Sequence[bytearray], aliases: Aliases) -> None:
        if OUT_OF_BAND:
            super().__init__(stream, buffers=buffers)
        else:
            super().__init__(stream)
        self._aliases = aliases

    def find_class(self, module: str, name: str) -> Any:
        """Find a global by module and name, the aliases first."""
        if module.split(".", maxsplit=1)[0] == "sqlexec" and name in self._aliases:
            return self._aliases[name]
        return super().find_class(module, name)
