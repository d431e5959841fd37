"""Runs the script of stored scripts as a runtime does, in any Python from 3.6 on.

python -I stored_driver.py HOST SCRIPT    HOST: main (one `__main__`), or function
stdout: what the stored script left in result_json, then the names that the script left behind
"""

import sys

SOURCE = """
def double(x):
    return 2 * x
import json
result_json = json.dumps({"result": double(json.loads(args_json)["x"]), "rows": InputDataSet})
"""
PARAMETERS = {
    "source": SOURCE,
    "script_name": "double, version 1",
    "args_json": '{"x": 21}',
    "longest_run_seconds": 60,
}


def in_main(text):
    names = sys.modules["__main__"].__dict__
    names.update(PARAMETERS)
    before = set(names)
    exec(compile(text, "<string>", "exec"), names)
    return names.pop("result_json"), sorted(set(names) - before)


def in_function(text):
    head = "def transform(" + ", ".join(sorted(PARAMETERS)) + ", InputDataSet):\n"
    body = "".join("    " + line for line in text.splitlines(True))
    scope = {}
    exec(compile(head + body + "\n    return result_json, []\n", "transform", "exec"), scope)
    return scope["transform"](InputDataSet=None, **PARAMETERS)


def main(host, script):
    with open(script) as file:
        text = file.read()
    print(*(in_main if host == "main" else in_function)(text))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
