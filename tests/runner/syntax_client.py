"""A client of another Python that packs functions for older servers.

stdin: JSON, [[text of a module with a function f, the server's Python], ...]
stdout: JSON, for each what the error says; null where it can be sent
"""

import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from sqlexec.payload import Packer
from sqlexec.payload.syntax import SyntaxTooNew


def refusal(text, version, file):
    file.write_text(text)
    module = sys.modules[file.stem] = ModuleType(file.stem)
    module.__file__ = str(file)
    exec(compile(text, str(file), "exec"), vars(module))
    try:
        Packer(module.f, runtime={"python": [*map(int, version.split(".")), 0], "packages": {}})
    except SyntaxTooNew as error:
        return str(error)
    return None


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        rows = enumerate(json.load(sys.stdin))
        answers = [refusal(*row, Path(folder, f"made_s2_{number}.py")) for number, row in rows]
    json.dump(answers, sys.stdout)
