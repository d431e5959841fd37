"""The codec for objects that only the same version of their package rebuilds.

Elsewhere they load at best to something subtly else.
"""

import sys
from typing import Any, Callable, Dict, Optional

from sqlexec.runner.types import Reduced


class Incompatible(Exception):
    """A value needs a package, or a version of it, that this Python does not have."""


def package_mismatch(package: str, version: Optional[str]) -> Optional[str]:
    """Say that a package is missing here, or is not of the sender's version; None if it is."""
    if package in ("", "__main__"):
        return None
    try:
        __import__(package)
    except ImportError:
        theirs = " %s" % version if version else ""
        return "the value needs %s%s, which this Python lacks" % (package, theirs)
    here = getattr(sys.modules.get(package), "__version__", None)
    if version is None or here is None or here == version:
        return None
    return "the value was made with %s %s and cannot be rebuilt with this Python's %s %s" % (
        package,
        version,
        package,
        here,
    )


def exact_reducer(kind: type) -> Optional[Callable[[Any, Any], Reduced]]:
    """The reducer for objects of these packages' classes; the classes themselves go by name."""
    return None if issubclass(kind, type) else _reduce_exact


def exact_rebuilders() -> Dict[str, Callable[..., Any]]:
    """The rebuilder by name."""
    return {"py.exact": _rebuild_exact}


def _reduce_exact(writer: Any, value: Any) -> Any:
    plain = value.__reduce_ex__(4)
    if isinstance(plain, str):
        return plain
    package = type(value).__module__.partition(".")[0]
    version = getattr(sys.modules.get(package), "__version__", "")
    return writer.call("py.exact", package, version, plain[0], plain[1]) + tuple(plain[2:])


def _rebuild_exact(reader: Any, package: str, version: str, function: Any, arguments: Any) -> Any:
    mismatch = package_mismatch(package, version)
    if mismatch is not None:
        raise Incompatible(mismatch)
    return function(*arguments)
