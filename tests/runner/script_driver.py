"""Runs the runner's script as a runtime does, in any Python from 3.6 on.

python -I script_driver.py HOST SCRIPT PAYLOAD...     HOST: main, as the open extension has it
                                                      (one `__main__`, console in memory), or
                                                      function, as the built-in runtime
stdout: JSON, for each payload what the script gave and what it left behind
"""

import base64
import binascii
import io
import json
import os
import signal
import sys
import warnings

PARAMETERS = ("result", "result_length", "header_length", "failed_count", "probe", "input_rows")


def surroundings():
    return {
        "names": sorted(sys.modules["__main__"].__dict__),
        "directory": os.getcwd(),
        "environment": dict(os.environ),
        "path": list(sys.path),
        "finders": [repr(each) for each in sys.meta_path],
        "filters": [repr(each) for each in warnings.filters],
        "handlers": [repr(signal.getsignal(each)) for each in (signal.SIGTERM, signal.SIGALRM)],
        "timer": signal.getitimer(signal.ITIMER_REAL)[0],
        "streams": [type(sys.stdout).__name__, type(sys.stderr).__name__],
        "modules": sorted(
            each
            for each in sys.modules
            if each.startswith(("cloudpickle", "sqlexec", "revoscalepy", "tests"))
        ),
    }


LIMITS = ("longest_run_seconds", "seconds_left", "first_place", "task_count")


def in_main(text, payload):
    names = sys.modules["__main__"].__dict__
    names.update(dict.fromkeys(LIMITS, 0), payload=payload, shared=b"")
    names.update(InputDataSet=None, OutputDataSet=None)
    exec(compile(text, "<string>", "exec"), names)
    given = [names.pop(each) for each in PARAMETERS] + [names.pop("OutputDataSet")]
    for each in (*LIMITS, "payload", "shared", "InputDataSet"):
        del names[each]
    return given


def in_function(text, payload):
    lines = ["    " + line for line in text.splitlines(True)]
    names = ", ".join(("payload", "shared", *LIMITS, "InputDataSet", "OutputDataSet"))
    head = "def transform(" + names + "):\n"
    tail = "\n    return [" + ", ".join(PARAMETERS) + ", OutputDataSet]\n"
    scope = {}
    exec(compile(head + "".join(lines) + tail, "transform", "exec"), scope)
    return scope["transform"](payload, b"", 0, 0, 0, 0, None, None)


def main(host, script, payloads):
    with open(script) as file:
        text = file.read()
    real, sys.stdout, sys.stderr = sys.stdout, io.StringIO(), io.StringIO()
    answers = []
    for path in payloads:
        with open(path, "rb") as file:
            payload = file.read()
        before = surroundings()
        run = in_main if host == "main" else in_function
        result, length, header, failed, probe, count, rows = run(text, payload)
        after = surroundings()
        outputs = [type(each).__name__ for each in (result, length, header, failed, probe, count)]
        if rows is not None:
            assert [str(each) for each in rows.dtypes] == ["int32", "object"]
            result = b"".join(map(binascii.a2b_base64, rows.sort_values("c0")["c1"]))
        answers.append(
            {
                "result": base64.b64encode(result).decode("ascii"),
                "length": length,
                "failed": failed,
                "probe": len(probe),
                "outputs": outputs,
                "rows": -1 if rows is None else len(rows),
                "left": {
                    each: [before[each], after[each]]
                    for each in before
                    if before[each] != after[each]
                },
            }
        )
    (sys.stdout.getvalue() + sys.stderr.getvalue()).encode("utf-8")  # the host does so
    real.write(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
