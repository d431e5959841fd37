"""Application locks and UPDLOCK, between real sessions."""

from __future__ import annotations

import threading

import pyodbc
import pytest

from sqlexec.embedded import EmbeddedServer

GET = "DECLARE @r int; EXECUTE @r = sys.sp_getapplock @Resource = N'{}', @LockMode = '{}', " \
      "@LockOwner = 'Session', @LockTimeout = 0; SELECT @r"  # fmt: skip
TEST = "SELECT APPLOCK_TEST(N'public', N'{}', N'Exclusive', N'Session')"
RELEASE = "EXECUTE sys.sp_releaseapplock @Resource = N'{}', @LockOwner = 'Session'"
CLAIM = """SET NOCOUNT ON; DECLARE @n int;
BEGIN TRANSACTION;
SELECT TOP (1) @n = w.n FROM dbo.work AS w WITH (UPDLOCK, READPAST, ROWLOCK)
WHERE w.taken = 0 ORDER BY w.n;
UPDATE dbo.work SET taken = 1 WHERE n = @n;
COMMIT TRANSACTION;
SELECT @n"""


@pytest.fixture(scope="module")
def server():
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def connect(server):
    opened = []

    def open_one():
        opened.append(pyodbc.connect(server.connection_string, autocommit=True))
        return opened[-1]

    yield open_one
    for connection in opened:
        if not connection.closed:
            connection.close()


def test_a_sessions_lock_outlives_transactions_and_ends_with_it(connect):
    one, other = connect(), connect()
    assert one.execute(GET.format("a", "Exclusive")).fetchval() == 0
    assert one.execute(TEST.format("a")).fetchval() == 1  # its own
    assert other.execute(TEST.format("a")).fetchval() == 0
    assert other.execute(GET.format("a", "Exclusive")).fetchval() == -1
    one.execute("BEGIN TRANSACTION; COMMIT TRANSACTION")
    assert other.execute(TEST.format("a")).fetchval() == 0
    assert other.execute(TEST.format("b")).fetchval() == 1
    one.execute(RELEASE.format("a"))
    with pytest.raises(pyodbc.Error, match="not currently held"):
        one.execute(RELEASE.format("a"))
    assert other.execute(GET.format("a", "Shared")).fetchval() == 0
    assert one.execute(GET.format("a", "Shared")).fetchval() == 0
    other.close()
    for _ in range(500):
        if one.execute(GET.format("a", "Exclusive")).fetchval() == 0:
            break
    assert one.execute(TEST.format("a")).fetchval() == 1


def test_update_locks_give_each_row_to_one(connect):
    connect().execute("CREATE TABLE dbo.work (n int NOT NULL PRIMARY KEY, taken int NOT NULL)")
    rows = ", ".join(f"({n}, 0)" for n in range(100))
    connect().execute(f"INSERT INTO dbo.work (n, taken) VALUES {rows}")
    found: list[int] = []

    def claim(connection):
        while (n := connection.execute(CLAIM).fetchval()) is not None:
            found.append(n)

    threads = [threading.Thread(target=claim, args=[connect()]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(100))
