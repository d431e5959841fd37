"""Installed packages that the user's code needs, imported; who lacks what is said."""

import importlib
import sys
from typing import Any, Optional, Sequence


class MissingPackage(ImportError):
    """A package that the function imports on the client is not there on the server."""


def import_package(name: str, version: Optional[str] = None, submodules: Sequence[str] = ()) -> Any:
    """An installed module, with those of its submodules that are used; says who lacks it."""
    try:
        module = importlib.import_module(name)
        for each in submodules:
            importlib.import_module(each)
        return module
    except ImportError as error:
        raise MissingPackage(
            "the function needs the package %r (%sof the client), which the server's Python %d.%d "
            "cannot import: %s. Install it on the server, or do without it in the function"
            % (
                name.split(".", 1)[0],
                "version %s " % version if version else "",
                sys.version_info[0],
                sys.version_info[1],
                error,
            )
        )


def import_name(module: str, name: str, version: Optional[str] = None) -> Any:
    """A name of an installed module: what `from module import name` gives."""
    value = import_package(module, version)
    try:
        for each in name.split("."):
            value = getattr(value, each)
    except AttributeError:
        found = getattr(sys.modules.get(module.split(".", 1)[0]), "__version__", None)
        raise MissingPackage(
            "the function needs %r of module %r (%son the client), which the server's %s lacks"
            % (
                name,
                module,
                "version %s " % version if version else "",
                "version %s" % found if found else "Python %d.%d" % tuple(sys.version_info[:2]),
            )
        )
    return value
