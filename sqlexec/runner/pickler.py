"""cloudpickle on the server: its own where the version is the client's, else the one that came.

Functions pickled by one version of cloudpickle are only sure to load with the same version,
and none of SQL Server's Pythons ships it.
"""

import json
import sys
import types
import zlib
from typing import List

_FOLDER = "<sqlexec>/"


def install_cloudpickle(version: str, pieces: List[memoryview]) -> None:
    """Make `import cloudpickle` give that version; `pieces` is [] or the one that travelled."""
    if not pieces:
        import cloudpickle

        if cloudpickle.__version__ != version:
            raise ImportError(
                "the server has cloudpickle %s, the client %s" % (cloudpickle.__version__, version)
            )
        return
    present = sys.modules.get("cloudpickle")
    if present is not None and present.__version__ == version:
        return
    sources = json.loads(zlib.decompress(bytes(pieces[0])).decode("ascii"))
    for name in [each for each in sys.modules if each.split(".")[0] == "cloudpickle"]:
        del sys.modules[name]
    for name, source in sources:  # submodules first, as the package imports them
        module = types.ModuleType(name)
        module.__file__ = _FOLDER + name.replace(".", "/") + ".py"
        module.__package__ = "cloudpickle"
        sys.modules[name] = module
        if name == "cloudpickle":
            module.__path__ = []
        exec(compile(source, module.__file__, "exec"), module.__dict__)
