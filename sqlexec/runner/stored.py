"""Run a stored script, no longer than the server lets it.

source, args_json, rows -> names of its own -> the script -> result_json
"""

import linecache
from typing import Any, Dict

from sqlexec.runner.limits import TaskTimeout, time_limit


def run_stored(
    source: str, name: str, args_json: str, rows: Any = None, longest_run_seconds: int = 0
) -> str:
    """Run a script's text; gives what it leaves in `result_json`.

    `name` stands in tracebacks; `rows` are what the script has as InputDataSet;
    `longest_run_seconds` is the server's limit, 0 for none.
    """
    scope = {
        "__name__": "__main__",
        "args_json": args_json,
        "InputDataSet": rows,
        "result_json": "",
    }  # type: Dict[str, Any]
    lines = source.splitlines(True)
    linecache.cache[name] = (len(source), None, lines, name)  # tracebacks show them
    code = compile(source, name, "exec", dont_inherit=True)
    if longest_run_seconds:
        _run_limited(code, scope, longest_run_seconds)
    else:
        exec(code, scope)
    result = scope.get("result_json")
    if not isinstance(result, str):  # as an OUTPUT value it would end the process of some runtimes
        raise TypeError("the script left %s in result_json, not str" % type(result).__name__)
    return result


def _run_limited(code: Any, scope: Dict[str, Any], seconds: int) -> None:
    with time_limit(seconds) as limit:
        limit.start()
        try:
            exec(code, scope)
        except BaseException as error:
            limit.stop()  # its exception may have come while another was under way
            if not limit.has_raised(error):
                raise
            raise TaskTimeout(
                "the script took longer than this database's longest_run_seconds, %d. A member of "
                "sqlexec_admin may change the limit: EXECUTE sqlexec.configure" % seconds
            )
