"""cloudpickle on the server: its own where the version is the client's, else the one that came.

Functions pickled by one version of cloudpickle are only sure to load with the same version,
and none of SQL Server's Pythons ships it.
"""

import importlib.machinery
import json
import sys
import types
import zlib
from typing import Any, Dict, List

_replaced = {}  # type: Dict[str, types.ModuleType]
_travelled = []  # type: List[Any]  # sources of the one that is there


class NeedsCloudpickle(Exception):
    """The payload came without cloudpickle, and this Python lacks that version: send it again."""


def install_cloudpickle(version: str, pieces: List[memoryview]) -> None:
    """Make `import cloudpickle` give that version; `pieces` is [] or the one that travelled."""
    present = sys.modules.get("cloudpickle")
    if getattr(present, "__version__", None) == version:
        return
    if not pieces:
        try:
            import cloudpickle
        except ImportError:
            raise NeedsCloudpickle("cloudpickle %s" % version)

        if cloudpickle.__version__ != version:
            raise NeedsCloudpickle("cloudpickle %s, it has %s" % (version, cloudpickle.__version__))
        return
    sources = _Sources(json.loads(zlib.decompress(bytes(pieces[0])).decode("ascii")))
    _travelled.append(sources)
    for name in _cloudpickle_modules():
        _replaced[name] = sys.modules.pop(name)
    sys.meta_path.insert(0, sources)
    try:
        __import__("cloudpickle")
    finally:
        sys.meta_path.remove(sources)


def remove_cloudpickle() -> None:
    """Take out the one that travelled, and put back what it replaced."""
    if not _travelled:
        return
    _travelled.clear()
    for name in _cloudpickle_modules():
        if isinstance(getattr(sys.modules[name].__spec__, "loader", None), _Sources):
            del sys.modules[name]
    sys.modules.update(_replaced)
    _replaced.clear()


def _cloudpickle_modules() -> List[str]:
    return [each for each in sys.modules if each.split(".", 1)[0] == "cloudpickle"]


class _Sources:
    """Finder and loader of modules whose sources are in memory, by name."""

    def __init__(self, sources: Dict[str, str]) -> None:
        self._sources = sources

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """A spec for the modules that are here."""
        if name not in self._sources:
            return None
        is_package = any(each.startswith(name + ".") for each in self._sources)
        loader = self  # type: Any
        return importlib.machinery.ModuleSpec(name, loader, is_package=is_package)

    def create_module(self, spec: Any) -> None:
        """None: an ordinary module."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module's source."""
        name = module.__name__
        exec(compile(self._sources[name], "<sqlexec>/%s" % name, "exec"), module.__dict__)
