"""A finder in front of sys.meta_path that answers for `import revoscalepy` and `import sqlexec`."""

import sys
from typing import Any

from sqlexec.runner.revoscalepy import spec_of

_NAMES = ("revoscalepy", "sqlexec")


class _Finder:
    """Answers for our names on sys.meta_path, and for nothing else."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The spec of one of our names."""
        return spec_of(name) if name in _NAMES else None


def install_stand_in() -> None:
    """Put the finder in front, once a process."""
    if not any(type(finder).__name__ == "_Finder" for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def remove_stand_in() -> None:
    """Take the finder away, and the modules that stand in."""
    sys.meta_path[:] = [each for each in sys.meta_path if type(each).__name__ != "_Finder"]
    for name in _NAMES:
        if type(sys.modules.get(name)).__name__ == "_Module":
            del sys.modules[name]
