"""The script repository: functions kept by name, run from Python and from T-SQL."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
from decimal import Decimal
from typing import Any

import numpy
import pandas
import pytest

from sqlexec import (
    RxSqlServerData,
    drop_script,
    grant_script,
    list_scripts,
    load_script,
    run_script,
    store_script,
)
from sqlexec.cli import main
from sqlexec.errors import ConfigurationError, ServerError
from sqlexec.procedures.call import session_of
from sqlexec.server.pool import POOL
from tests.integration.conftest import in_database

NAME = "test's script"


@pytest.fixture
def script(execute):
    """A name for a script, removed in the end."""
    yield NAME
    execute("DELETE FROM sqlexec.script WHERE name = ?", NAME)
    execute("DELETE FROM sqlexec.script_grant WHERE name = ?", NAME)


@pytest.fixture
def others(cc, execute, connection_string):
    """Contexts of two logins in sqlexec_user; the second is in the role test_role."""
    database = execute("SELECT DB_NAME()")[0][0]
    execute("CREATE ROLE test_role")
    contexts = []
    for name in ("test_one", "test_two"):
        execute(f"CREATE LOGIN {name} WITH PASSWORD = 'Str0ng!secret'")
        execute(f"CREATE USER {name} FOR LOGIN {name}")
        execute(f"ALTER ROLE sqlexec_user ADD MEMBER {name}")
        words = {"UID": name, "PWD": "Str0ng!secret"}
        to = in_database(connection_string, database, **words)
        contexts.append(cc.replace(connection_string=to))
    execute("ALTER ROLE test_role ADD MEMBER test_two")
    yield contexts
    POOL.close()
    execute("ALTER ROLE test_role DROP MEMBER test_two")
    execute("DROP ROLE test_role")
    for name in ("test_one", "test_two"):
        execute(f"DROP USER {name}")
        execute(f"DROP LOGIN {name}")


def double(x: int) -> int:
    """Twice a number.

    More.
    """
    return 2 * x


def triple(x: int) -> int:
    return 3 * x


@dataclasses.dataclass
class Pair:
    left: int
    right: Any


def everything(
    a: int,
    b: float | None,
    c: datetime.date,
    d: datetime.datetime,
    e: Decimal,
    f: bytes,
    g: list[int],
    h=(1, 2),
):
    kinds = [type(each).__name__ for each in (a, b, c, d, e, f, g, h)]
    return {
        "kinds": kinds,
        "given": [a, b, c, d, e, f, g, h],
        "nan": math.nan,
        "array": numpy.arange(3) / 2,
        "pair": Pair(1, numpy.float64(0.1)),
        "frame": pandas.DataFrame({"x": [1.5, None], "t": ["ä\U0001f600", None]}),
    }


def count(rows: pandas.DataFrame, least: int = 0) -> int:
    print("counting")
    return int((rows["id"] >= least).sum())


def test_stored_versions_are_listed_loaded_run_and_dropped(cc, script):
    assert store_script(cc, double, script) == 1
    assert store_script(cc, triple, script) == 2
    assert store_script(cc, double, script, 9) == 9
    first, second, _ = list_scripts(cc, script)
    assert (first.name, first.version, first.description) == (script, 1, "Twice a number.")
    assert first.parameters == [{"name": "x", "type": "int", "required": True}]
    assert (second.version, second.source) == (2, "")
    assert script in {each.name for each in list_scripts(cc)}
    assert "return 3 * x" in load_script(cc, script, 2).source
    assert load_script(cc, script).version == 9
    assert run_script(cc, script, 2, x=5) == 15
    assert run_script(cc, script, x=2**60) == 2**61
    with pytest.raises(ServerError, match="that version already") as failed:
        store_script(cc, triple, script, 2)
    assert failed.value.number == 51744
    assert drop_script(cc, script, 9) == 1
    assert run_script(cc, script, x=5) == 15
    assert drop_script(cc, script) == 2
    for gone in (load_script, run_script, drop_script):
        with pytest.raises(ServerError, match="no script test's script") as failed:
            gone(cc, script)
        assert failed.value.number == 51741


def test_values_of_many_types(cc, script):
    store_script(cc, everything, script)
    day, moment = datetime.date(2013, 1, 2), datetime.datetime(2013, 1, 2, 3, 4, 5, 678)
    found = run_script(
        cc, script, a=1, b=None, c=day, d=moment, e=Decimal("1.10"), f=b"\0\xff", g=[1, 2]
    )
    kinds = ["int", "NoneType", "date", "datetime", "Decimal", "bytes", "list", "tuple"]
    assert found["kinds"] == kinds
    given = [1, None, "2013-01-02", moment.isoformat(), "1.10", "AP8=", [1, 2], [1, 2]]
    assert found["given"] == given
    assert found["nan"] is None
    assert found["array"] == [0.0, 0.5, 1.0]
    assert found["pair"] == {"left": 1, "right": 0.1}
    assert found["frame"] == [{"x": 1.5, "t": "ä\U0001f600"}, {"x": None, "t": None}]


def test_rows_of_a_query_and_console(cc, script, flights, capsys):
    store_script(cc, count, script)
    shown = cc.replace(console_output=True)
    source = RxSqlServerData(table=flights)
    assert run_script(shown, script, input_query=source, least=990) == 10
    assert capsys.readouterr().out == "counting\n"


def test_run_from_t_sql(cc, script, execute):
    store_script(cc, double, script)
    rows = execute(
        "DECLARE @r nvarchar(max); EXECUTE sqlexec.run_script @name = ?, "
        "@args_json = N'{\"x\": 4}', @result_json = @r OUTPUT",
        script,
    )
    assert rows == [('{"result": 8}',)]
    logged = execute("SELECT TOP (1) l.status FROM sqlexec.chunk_log AS l ORDER BY l.log_id DESC")
    assert logged == [("finished",)]
    with pytest.raises(ServerError, match="must be a JSON object"):
        execute("EXECUTE sqlexec.run_script @name = ?, @args_json = N'x'", script)


def test_commands(cc, script, monkeypatch, capsys):
    monkeypatch.setenv("SQLEXEC_CONNECTION", cc.connection_string)
    store_script(cc, count, script)
    query = "SELECT 3 AS id UNION ALL SELECT 4"
    given = ["--args-json", '{"least": 4}', "--input-query", query]
    assert main(["scripts", "run", script, *given]) == 0
    assert capsys.readouterr() == ("1\n", "counting\n")
    assert main(["scripts", "list"]) == 0
    assert f"{script} 1  (rows: DataFrame, least: int)" in capsys.readouterr().out
    assert main(["scripts", "show", script, "--version", "1"]) == 0
    assert capsys.readouterr().out == load_script(cc, script).source
    assert main(["scripts", "list", "--json"]) == 0
    assert script in {each["name"] for each in json.loads(capsys.readouterr().out)}
    assert main(["scripts", "run", script, "--args-json", "[]"]) == 2
    assert main(["scripts", "run", "no such script"]) == 1
    assert "no such script" in capsys.readouterr().err


def test_exceptions_and_what_json_cannot_say(cc, script):
    store_script(cc, double, script)
    with pytest.raises(ServerError, match="TypeError") as failed:
        run_script(cc, script, y=1)
    assert failed.value.number == 39019
    with pytest.raises(ConfigurationError, match="JSON cannot say the object"):
        run_script(cc, script, x=object())


def raising(x: int) -> int:
    return x // 0


def test_a_traceback_shows_the_scripts_lines(cc, script):
    store_script(cc, raising, script)
    with pytest.raises(ServerError, match=r"version 1\", line \d+, in raising\s+return x // 0"):
        run_script(cc, script, x=1)


def test_a_script_that_leaves_no_text_says_so(cc, script, execute):
    execute("EXECUTE sqlexec.store_script @name = ?, @source = N'result_json = 1'", script)
    with pytest.raises(ServerError, match="the script left int in result_json, not str"):
        run_script(cc, script)


def test_all_mistakes_of_a_call_are_told_together(execute):
    with pytest.raises(ServerError, match=r"@name must(.|\n)*@args_json must(.|\n)*@input_query"):
        execute("EXECUTE sqlexec.run_script @args_json = N'x', @input_query = NULL")


def test_only_owner_grantees_and_admins(cc, script, others, execute):
    one, two = others
    store_script(one, double, script)
    assert list_scripts(two, script) == []
    for act in (
        lambda: run_script(two, script, x=1),
        lambda: load_script(two, script),
        lambda: grant_script(two, script, "test_two"),
        lambda: drop_script(two, script),
    ):
        with pytest.raises(ServerError) as failed:
            act()
        assert failed.value.number == 51741
    with pytest.raises(ServerError, match="another login") as failed:
        store_script(two, triple, script)
    assert failed.value.number == 51743
    for grantee in ("test_two", "test_role", "public"):
        grant_script(one, script, grantee)
        grant_script(one, script, grantee)
        assert run_script(two, script, x=1) == 2
        assert load_script(two, script).owner == "test_one"
        with pytest.raises(ServerError, match="of yours"):
            drop_script(two, script)
        grant_script(one, script, grantee, revoke=True)
        with pytest.raises(ServerError, match="that you may run"):
            run_script(two, script, x=1)
    for table in ("script", "script_grant"):
        with pytest.raises(ServerError, match="permission"):
            with_session(two, f"SELECT * FROM sqlexec.{table}")
    execute("ALTER ROLE sqlexec_admin ADD MEMBER test_two")
    assert store_script(two, triple, script) == 2
    assert load_script(one, script, 2).owner == "test_one"
    assert drop_script(two, script) == 2
    execute("ALTER ROLE sqlexec_admin DROP MEMBER test_two")


def with_session(context, statement):
    with session_of(context) as session:
        return session.execute(statement)
