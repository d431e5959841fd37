"""A notebook's kernel without its sockets: runs cells as ipykernel does, in IPython's shell.

stdin: JSON, the texts of cells
stdout: the last line is JSON, for each cell [repr of its value, traceback or ""]
"""

import json
import sys
import traceback

from ipykernel.compiler import XCachingCompiler
from IPython.core.interactiveshell import InteractiveShell


def main() -> None:
    shell = InteractiveShell.instance(compiler_class=XCachingCompiler, colors="nocolor")
    shell.user_module.__dict__.pop("__file__", None)  # a notebook's `__main__` has none
    answers = []
    for cell in json.load(sys.stdin):
        result = shell.run_cell(cell, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        told = traceback.format_exception(error) if error is not None else []
        answers.append((repr(result.result), "".join(told)))
    print("\n" + json.dumps(answers))


if __name__ == "__main__":
    main()
