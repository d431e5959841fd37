"""sp_execute_external_script in T-SQL: values, rows, errors, permissions; with real processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from sqlexec.embedded.catalog import Catalog
from sqlexec.embedded.engine import Engine
from sqlexec.embedded.launchpad import Launchpad
from sqlexec.embedded.results import Capture
from sqlexec.embedded.tsql.run.interpreter import Interpreter
from sqlexec.embedded.tsql.state import Instance, Session


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    engine = Engine()
    launchpad = Launchpad()
    catalog = Catalog(engine)
    catalog.set_password("sa", "secret")
    yield Instance(engine, catalog, launchpad)
    launchpad.close()
    engine.close()


def login(instance: Instance, name: str = "sa", password: str = "secret") -> Interpreter:
    principal = instance.catalog.authenticate(name, password)
    session = Session(instance, instance.engine.connect(), principal, "master", 51)
    instance.catalog.open_database(session, "master")
    return Interpreter(session)


@pytest.fixture
def interpreter(instance: Instance) -> Iterator[Interpreter]:
    interpreter = login(instance)
    yield interpreter
    interpreter.close()


def run(interpreter: Interpreter, text: str) -> Capture:
    sink = Capture()
    interpreter.batch(text, sink)
    return sink


def script(text: str, rest: str = "", language: str = "Python") -> str:
    """EXECUTE of a script, `rest` are further arguments."""
    quoted = text.replace("'", "''")
    comma = ", " if rest else ""
    return (
        f"EXECUTE sp_execute_external_script @language = N'{language}', "
        f"@script = N'{quoted}'{comma}{rest} "
    )


def numbers(sink: Capture) -> list[int]:
    return [error.number for error in sink.errors]


FRAME = "OutputDataSet = DataFrame({'a': [1, 2], 'b': [0.5, None]})"


def test_parameters_go_in_and_out(interpreter: Interpreter) -> None:
    call = script(
        "r = p * 3; n = 1.236; t = t + u'\u00fc'; b = not b; unasked = 1",
        "@params = N'@p varbinary(max), @r varbinary(max) OUTPUT, @n decimal(9,2) OUTPUT,"
        " @t nvarchar(20) OUTPUT, @b bit OUTPUT, @unasked int OUTPUT',"
        " @p = 0x0102, @r = @r OUTPUT, @n = @n OUTPUT, @t = @t OUTPUT, @b = @b OUTPUT,"
        " @unasked = 5",
    )
    sink = run(
        interpreter,
        "DECLARE @r varbinary(max), @n decimal(9,2), @t nvarchar(20) = N'x', @b bit = 1;\n"
        + call
        + "; SELECT @r, @n, @t, @b",
    )
    assert sink.errors == []
    ((r, n, t, b),) = sink.results[0].rows or ()
    assert (r, str(n), t, b) == (b"\x01\x02" * 3, "1.24", "x\u00fc", False)


def test_a_large_value_is_not_copied_through_the_engine(interpreter: Interpreter) -> None:
    call = script("r = bytes(50_000_000)", "@params = N'@r varbinary(max) OUTPUT', @r = @r OUTPUT")
    sink = run(interpreter, f"DECLARE @r varbinary(max); {call}; SELECT DATALENGTH(@r), @r")
    ((length, value),) = sink.results[0].rows or ()
    assert length == 50_000_000
    assert isinstance(value, memoryview)


def test_output_data_set_has_unnamed_columns(interpreter: Interpreter) -> None:
    sink = run(interpreter, script(FRAME))
    assert sink.errors == []
    assert [(c.name, c.type.name) for c in sink.results[0].columns] == [
        ("", "bigint"),
        ("", "float"),
    ]
    assert sink.results[0].rows == [(1, 0.5), (2, None)]


def test_with_result_sets(interpreter: Interpreter) -> None:
    sink = run(
        interpreter, script(FRAME) + "WITH RESULT SETS ((x varchar(5), y decimal(5,2) NULL))"
    )
    assert [(c.name, str(c.type)) for c in sink.results[0].columns] == [
        ("x", "varchar(5)"),
        ("y", "decimal(5,2)"),
    ]
    assert [(x, None if y is None else str(y)) for x, y in sink.results[0].rows or ()] == [
        ("1", "0.50"),
        ("2", None),
    ]


@pytest.mark.parametrize(
    ("text", "clause", "number"),
    [
        (FRAME, "((a int, b float), (c int))", 11536),
        ("pass", "((a int))", 11536),
        (FRAME, "((a int))", 11537),
        (FRAME, "((a int, b float NOT NULL))", 11553),
        ("OutputDataSet = DataFrame({'a': ['x']}, dtype=object)", "((a varbinary(max)))", 11538),
    ],
)
def test_result_sets_that_do_not_fit(
    interpreter: Interpreter, text: str, clause: str, number: int
) -> None:
    assert number in numbers(run(interpreter, script(text) + f"WITH RESULT SETS {clause}"))


def test_input_rows_with_parameters(interpreter: Interpreter) -> None:
    sink = run(
        interpreter,
        script(
            "assert list(d.columns) == ['a', 'b']; out = d",
            "@input_data_1 = N'SELECT v.a, v.b FROM (VALUES (1, N''x''), (2, NULL)) AS v(a, b)"
            " WHERE v.a > @low ORDER BY v.a', @input_data_1_name = N'd',"
            " @output_data_1_name = N'out', @params = N'@low int', @low = 0",
        ),
    )
    assert sink.errors == []
    assert sink.results[0].rows == [(1, "x"), (2, None)]


def test_insert_execute(interpreter: Interpreter) -> None:
    sink = run(
        interpreter,
        "CREATE TABLE #t (a int, b float); INSERT INTO #t "
        + script(FRAME)
        + "; SELECT a, b FROM #t ORDER BY a",
    )
    assert sink.errors == []
    assert sink.results[-1].rows == [(1, 0.5), (2, None)]


# --- console -------------------------------------------------------------------------------


def test_console_comes_as_one_message_a_stream_at_the_end(interpreter: Interpreter) -> None:
    text = "import sys\nprint('one'); print('two'); sys.stderr.write('three')\n" + FRAME
    sink = run(interpreter, script(text))
    assert [(m.number, m.text) for m in sink.messages] == [
        (39005, "STDOUT message(s) from external script: \none\ntwo\n"),
        (39022, "STDERR message(s) from external script: \nthree"),
    ]


# --- errors --------------------------------------------------------------------------------


def test_a_script_error_is_told_as_the_real_server_tells_it(interpreter: Interpreter) -> None:
    sink = run(interpreter, script("print('before')\n1/0"))
    assert numbers(sink) == [39004, 39019]
    assert "'Python' script error" in sink.errors[0].message
    assert sink.errors[1].message.startswith("An external script error occurred: \n")
    assert sink.errors[1].message.endswith("ZeroDivisionError: division by zero\n")
    assert [m.number for m in sink.messages] == [39005]


def test_catch_sees_the_last_error_and_throw_tells_both_again(interpreter: Interpreter) -> None:
    text = f"BEGIN TRY {script('1/0')} END TRY BEGIN CATCH SELECT ERROR_NUMBER(); THROW; END CATCH"
    sink = run(interpreter, text)
    assert list(sink.results[0].rows or ()) == [(39019,)]
    assert numbers(sink) == [39004, 39019]


def test_a_caught_error_keeps_the_console(interpreter: Interpreter) -> None:
    died = script('import os; os.write(1, b"last words"); os._exit(3)')
    sink = run(interpreter, f"BEGIN TRY {died} END TRY BEGIN CATCH SELECT 1 END CATCH")
    assert not sink.errors
    assert [(each.number, "last words" in each.text) for each in sink.messages] == [(39005, True)]


def test_a_process_that_dies(interpreter: Interpreter) -> None:
    sink = run(interpreter, script("import os; os._exit(3)") + "; SELECT 1")
    assert numbers(sink) == [39012]
    assert "exit status 3" in sink.errors[0].message
    assert list(sink.results[0].rows or ()) == [(1,)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (script("pass", language="R"), 39007),
        (script("pass", "@params = N'@a int'"), 39016),
        (script("pass", "@params = N'@a int', @a = 1, @b = 2"), 8145),
        (script("pass", "@params = N'@a datetime2', @a = NULL"), 39018),
        (script("pass", "@params = N'@a xml', @a = NULL"), 39018),
        ("DECLARE @a int; " + script("pass", "@params = N'@a int', @a = @a OUTPUT"), 8162),
        (script("pass", "@input_data_1 = N'SELECT CAST(1 AS varbinary(max)) AS b'"), 39017),
        (script("pass", "@input_data_1 = N'SELECT SYSDATETIME() AS d'"), 39017),
        (script("pass", "@input_data_1 = N'DELETE FROM t'"), 39001),
        (script("pass", "@input_data_1 = N'SELECT * FROM no_such_table'"), 208),
        (script("pass", "@input_data_1 = 'SELECT 1'"), 214),
        (script("pass", "@input_data_1_partition_by_columns = N'a'"), 40517),
    ],
)
def test_what_is_refused(interpreter: Interpreter, text: str, number: int) -> None:
    assert numbers(run(interpreter, text))[:1] == [number]


def test_an_input_query_that_fails_on_its_way(interpreter: Interpreter) -> None:
    query = "SELECT 1 / (v.a - 2) AS x FROM (VALUES (1), (2)) AS v(a)"
    assert numbers(run(interpreter, script("pass", f"@input_data_1 = N'{query}'"))) == [8134]
    assert run(interpreter, script("print(1)")).errors == []


def test_disabled(instance: Instance, interpreter: Interpreter) -> None:
    instance.configuration["external scripts enabled"] = 0
    try:
        assert numbers(run(interpreter, script("pass"))) == [39023]
    finally:
        instance.configuration["external scripts enabled"] = 1


def test_the_caller_needs_the_permission_even_inside_a_procedure(instance: Instance) -> None:
    admin = login(instance)
    for statement in (
        "CREATE LOGIN ann WITH PASSWORD = 'A-long-1-password'",
        "CREATE USER ann FOR LOGIN ann",
        "CREATE PROCEDURE dbo.indirect AS " + script("print(1)"),
        "GRANT EXECUTE ON dbo.indirect TO ann",
    ):
        assert run(admin, statement).errors == []
    ann = login(instance, "ann", "A-long-1-password")
    for text in (script("print(1)"), "EXECUTE dbo.indirect"):
        sink = run(ann, text)
        assert numbers(sink) == [229]
        assert sink.errors[0].message.startswith(
            "The EXECUTE ANY EXTERNAL SCRIPT permission was denied"
        )
    assert run(admin, "GRANT EXECUTE ANY EXTERNAL SCRIPT TO ann").errors == []
    for text in (script("print(1)"), "EXECUTE dbo.indirect"):
        assert run(ann, text).errors == []
    query = script("pass", "@input_data_1 = N'SELECT name FROM dbo.hidden'")
    for statement in ("CREATE TABLE dbo.hidden (name int)", "CREATE PROCEDURE dbo.peek AS " + query,
                      "GRANT EXECUTE ON dbo.peek TO ann"):  # fmt: skip
        assert run(admin, statement).errors == []
    assert numbers(run(ann, "EXECUTE dbo.peek")) == [229]  # no ownership chain into the query
    ann.close()
    admin.close()


def test_cancel_kills_the_script(interpreter: Interpreter) -> None:
    session = interpreter.session

    def cancel() -> None:
        while not session.on_cancel:
            time.sleep(0.005)
        session.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    sink = run(interpreter, script("while True: pass") + "; SELECT 1")
    canceller.join()
    assert sink.results == []
    session.cancelled.clear()
    assert run(interpreter, script("print(1)")).errors == []
