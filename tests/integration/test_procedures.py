"""Python functions as stored procedures: made, called from T-SQL and from here, dropped."""

from __future__ import annotations

import dataclasses
import datetime
import math
from decimal import Decimal
from typing import NamedTuple

import pandas
import pytest

from sqlexec import (
    RxSqlServerData,
    call_procedure,
    create_procedure,
    drop_procedure,
)
from sqlexec.errors import ConfigurationError, PermissionDenied, ServerError
from sqlexec.server.pool import POOL
from tests.integration.conftest import in_database

OFFSET = 100


class Everything(NamedTuple):
    whole: int | None
    real: float | None
    text: str | None
    raw: bytes | None
    day: datetime.date | None
    moment: datetime.datetime | None
    money: Decimal | None
    flag: bool | None


@dataclasses.dataclass
class Summary:
    rows_seen: int
    head: pandas.DataFrame


def echo(
    a: int | None,
    b: float | None,
    c: str | None,
    d: bytes | None,
    e: datetime.date | None,
    f: datetime.datetime | None,
    g: Decimal | None,
    h: bool | None,
) -> Everything:
    """Give back what was given."""
    return Everything(a, b, c, d, e, f, g, h)


def area(radius: float, digits: int = 2, prefix: str = "it's") -> str:
    """Area of a circle. */ SELECT 1; /*"""
    more = """\
$(x)
GO
"""
    return prefix + more * bool(prefix) + str(round(math.pi * squared(radius), digits))


def squared(value: float) -> float:
    """It's a square, isn't it? {call x} {d '2013'} ? ?"""
    # What's {fn this}?
    return value * value


def scaled(flights: pandas.DataFrame, factor: float = 2.0) -> pandas.DataFrame:
    flights["scaled"] = flights["delay"] * factor
    flights["price"] = [Decimal("1.25")] * len(flights)
    flights["on_day"] = [each.date() for each in flights["seen"]]
    return flights


COLUMNS = {
    "id": int,
    "carrier": str,
    "scaled": float,
    "late": bool,
    "seen": datetime.datetime,
    "on_day": datetime.date,
    "price": Decimal,
}


@pytest.fixture
def procedure(execute):
    yield "dbo.[test ]]'procedure]"
    execute("DROP PROCEDURE IF EXISTS dbo.[test ]]'procedure]")


VALUES = {
    "a": [2**53 + 1, -(2**63), 0],
    "b": [0.1, 1e-300, -5e-324],
    "c": ["", "ä\U0001f600'\"\\\n$(x)\x7f", "x" * 9000],
    "d": [b"", bytes(range(256)), b"\0" * 70_000],
    "e": [datetime.date(1, 2, 3), datetime.date(9999, 12, 31), datetime.date(2013, 1, 1)],
    "f": [
        datetime.datetime(1, 2, 3, 4, 5, 6, 789012),
        datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
        datetime.datetime(2013, 1, 1),
    ],
    "g": [Decimal("-1234567890123456789012345678.1234567891"), Decimal("0.0000000001"), Decimal(7)],
    "h": [True, False, True],
}


def test_every_type_comes_back_as_it_went(cc, procedure):
    create_procedure(cc, procedure, echo)
    for number in range(3):
        given = {name: values[number] for name, values in VALUES.items()}
        assert tuple(call_procedure(cc, procedure, **given)) == tuple(given.values())
    assert tuple(call_procedure(cc, procedure)) == (None,) * 8


def test_text_is_read_in_the_body_and_run_as_it_was(cc, procedure, execute):
    create_procedure(cc, procedure, area, version="1.2 */")
    assert call_procedure(cc, procedure, radius=1.0) == "it's$(x)\nGO\n3.14"
    assert call_procedure(cc, procedure, radius=1.0, digits=3, prefix="") == "3.142"
    ((body,),) = execute("SELECT OBJECT_DEFINITION(OBJECT_ID(?))", procedure)
    assert 'def squared(value: "float") -> "float":\n' in body
    assert "    # What''s {fn this}?\n    return value * value" in body
    assert "Purpose: Area of a circle. * / SELECT 1; / *\nVersion: 1.2 * /\n" in body


def test_called_by_t_sql(cc, procedure, execute):
    create_procedure(cc, procedure, area)
    call = f"EXECUTE {procedure} 2, @prefix = N'', @result = @a OUTPUT"
    assert execute(f"DECLARE @a nvarchar(max); {call}; SELECT @a") == [("12.57",)]


def test_null_where_none_may_stand(cc, procedure):
    create_procedure(cc, procedure, area)
    with pytest.raises(ServerError, match="NULL is no value for @radius @digits") as failed:
        call_procedure(cc, procedure, radius=None, digits=None)
    assert failed.value.number == 51740


def test_frame_in_and_out(cc, procedure, flights):
    create_procedure(cc, procedure, scaled, columns=COLUMNS)
    query = f"SELECT * FROM {flights} WHERE id < 20 ORDER BY id"
    frame = call_procedure(cc, procedure, input_query=query, factor=4.0)
    assert list(frame.columns) == list(COLUMNS)
    assert frame["id"].tolist() == list(range(20))
    assert frame["scaled"].isnull().tolist() == [n % 10 == 0 for n in range(20)]
    assert frame["scaled"][7] == 7.0
    assert frame["carrier"][2] == "Ä"
    assert frame["late"].tolist() == [n % 2 == 1 for n in range(20)]
    assert frame["seen"][1] == pandas.Timestamp("2013-01-02 06:30")
    assert frame["on_day"][1] == datetime.date(2013, 1, 2)
    assert frame["price"][0] == 1.25
    source = RxSqlServerData(sql_query=query)
    assert len(call_procedure(cc, procedure, input_query=source)) == 20
    empty = call_procedure(cc, procedure, input_query=f"SELECT * FROM {flights} WHERE id < 0")
    assert list(empty.columns) == list(COLUMNS)
    assert len(empty) == 0


def test_fixed_query_may_name_parameters(cc, procedure, flights):
    def count(rows: pandas.DataFrame, carrier: str, least: int = 0) -> int:
        return len(rows)

    source = RxSqlServerData(
        sql_query=f"SELECT id FROM {flights} WHERE carrier = @carrier AND id >= @least"
    )
    create_procedure(cc, procedure, count, input_query=source)
    assert call_procedure(cc, procedure, carrier="B") == 333
    assert call_procedure(cc, procedure, carrier="B", least=500) == 166


def test_outputs_by_tuple_and_dataclass_with_a_frame(cc, procedure, flights):
    def pair(x: int) -> tuple[int, str]:
        return x + OFFSET, str(x)

    create_procedure(cc, procedure, pair)
    assert call_procedure(cc, procedure, x=1) == (101, "1")
    assert call_procedure(cc, procedure, x=1).result_2 == "1"

    def summary(flights: pandas.DataFrame) -> Summary:
        return Summary(len(flights), flights.head(2))

    create_procedure(cc, procedure, summary, columns={"id": int})
    found = call_procedure(cc, procedure, input_query=f"SELECT id FROM {flights} ORDER BY id")
    assert found.rows_seen == 1000
    assert found.rows["id"].tolist() == [0, 1]


def test_nothing_given_back_but_printed(cc, procedure, capsys):
    def say(what: str) -> None:
        print("said", what)

    create_procedure(cc, procedure, say)
    assert call_procedure(cc.replace(console_output=True), procedure, what="this") is None
    assert capsys.readouterr().out == "said this\n"


def test_exception_of_the_function(cc, procedure):
    def fail(x: int) -> int:
        raise ValueError(f"no {x}")

    create_procedure(cc, procedure, fail)
    with pytest.raises(ServerError, match="ValueError: no 3"):
        call_procedure(cc, procedure, x=3)


def test_a_result_of_another_type_is_an_error(cc, procedure):
    def wrong() -> int:
        return 1.5  # type: ignore[return-value]

    create_procedure(cc, procedure, wrong)
    with pytest.raises(ServerError, match="TypeError"):
        call_procedure(cc, procedure)


def test_replaced_with_its_grants_and_dropped(cc, procedure, execute):
    create_procedure(cc, procedure, area)
    execute(f"GRANT EXECUTE ON {procedure} TO public")
    create_procedure(cc, procedure, squared)
    assert call_procedure(cc, procedure, value=3.0) == 9.0
    granted = "SELECT COUNT(*) FROM sys.database_permissions AS p WHERE p.major_id = OBJECT_ID(?)"
    assert execute(granted, procedure) == [(1,)]
    drop_procedure(cc, procedure)
    assert execute("SELECT OBJECT_ID(?)", procedure) == [(None,)]
    with pytest.raises(ConfigurationError, match="no procedure"):
        drop_procedure(cc, procedure)


def test_what_others_made_stays(cc, procedure, execute):
    execute(f"CREATE PROCEDURE {procedure} AS SELECT 1 AS one")
    with pytest.raises(ConfigurationError, match="replace=True"):
        create_procedure(cc, procedure, squared)
    with pytest.raises(ConfigurationError, match="drop it by T-SQL"):
        drop_procedure(cc, procedure)
    assert call_procedure(cc, procedure)["one"].tolist() == [1]
    create_procedure(cc, procedure, squared, replace=True)
    assert call_procedure(cc, procedure, value=2.0) == 4.0


def test_unknown_argument(cc, procedure):
    create_procedure(cc, procedure, squared)
    with pytest.raises(ConfigurationError, match="no parameter speed; it has: value, result"):
        call_procedure(cc, procedure, speed=2.0)


def test_who_may_not_run_scripts_makes_procedures_without_a_look_at_python(
    cc, procedure, execute, connection_string, caplog
):
    execute("CREATE LOGIN test_maker WITH PASSWORD = 'M4ker!secret'")
    execute("CREATE USER test_maker FOR LOGIN test_maker")
    try:
        execute("GRANT CREATE PROCEDURE TO test_maker")
        execute("GRANT ALTER ON SCHEMA::dbo TO test_maker")
        database = execute("SELECT DB_NAME()")[0][0]
        words = {"UID": "test_maker", "PWD": "M4ker!secret"}
        maker = cc.replace(connection_string=in_database(connection_string, database, **words))
        create_procedure(maker, procedure, squared)
        assert "whose syntax is not checked" in caplog.text
    finally:
        POOL.close()
        execute("DROP USER test_maker")
        execute("DROP LOGIN test_maker")
    assert call_procedure(cc, procedure, value=3.0) == 9.0


def test_rights_are_the_callers(cc, procedure, execute, connection_string):
    create_procedure(cc, procedure, squared)
    execute("CREATE LOGIN test_caller WITH PASSWORD = 'C4ller!secret'")
    execute("CREATE USER test_caller FOR LOGIN test_caller")
    try:
        words = {"UID": "test_caller", "PWD": "C4ller!secret"}
        database = execute("SELECT DB_NAME()")[0][0]
        caller = cc.replace(connection_string=in_database(connection_string, database, **words))
        with pytest.raises(PermissionDenied):
            call_procedure(caller, procedure, value=2.0)
        execute(f"GRANT EXECUTE ON {procedure} TO test_caller")
        with pytest.raises(PermissionDenied, match="EXTERNAL SCRIPT"):
            call_procedure(caller, procedure, value=2.0)
        execute("GRANT EXECUTE ANY EXTERNAL SCRIPT TO test_caller")
        assert call_procedure(caller, procedure, value=2.0) == 4.0
        with pytest.raises(ServerError, match="CREATE PROCEDURE"):
            create_procedure(caller, "dbo.test_other", squared)
    finally:
        POOL.close()
        execute("DROP USER test_caller")
        execute("DROP LOGIN test_caller")
