"""What breaks on the way: processes that are killed, clients that fork, servers that come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from sqlexec import RxInSqlServer, crew, rx_exec
from sqlexec.embedded import EmbeddedServer
from sqlexec.errors import ConnectionLost, ExecutionTimeout
from sqlexec.server.pool import POOL
from tests.integration.conftest import prepared

PATIENCE = 30.0


def double(x):
    return 2 * x


def wait_until(true, what):
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


def gone(process):
    """Ended; an orphan may wait for ever for an init that buries it."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill(processes, also=()):
    """Kill some and wait until they are gone, and others that go with them."""
    for process in processes:
        process.kill()
    wait_until(lambda: all(map(gone, [*processes, *also])), "the end of the processes")


def zygote_of(server):
    return psutil.Process(server.process_id).children()[0]


def run_client(code, connection_string):
    """Run a client program to its end."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), connection_string],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.embedded_only
def test_processes_that_die_while_they_are_idle_are_not_noticed(own_server):
    server, connection_string = own_server
    cc = RxInSqlServer(connection_string)
    assert rx_exec(double, x=[1, 2], compute_context=cc) == [2, 4]
    kill(zygote_of(server).children())
    assert rx_exec(double, x=[1, 2], compute_context=cc) == [2, 4]
    zygote = zygote_of(server)
    kill([zygote], also=zygote.children())
    assert rx_exec(double, x=[1, 2], compute_context=cc) == [2, 4]


@pytest.mark.embedded_only
def test_a_server_that_comes_back(own_server):
    server, connection_string = own_server
    cc = RxInSqlServer(connection_string)
    assert rx_exec(double, x=[3], compute_context=cc) == [6]
    server.stop()
    with EmbeddedServer(port=server.port, password=server.password) as again:
        prepared(again)
        for idle in list(POOL._idle):  # as if some time had passed meanwhile
            POOL._idle.remove(idle)
            POOL._idle.append((idle[0] - 10, idle[1]))
        assert rx_exec(double, x=[3], compute_context=cc) == [6]


@pytest.mark.embedded_only
def test_all_processes_end_with_a_killed_server(own_server, tmp_path):
    server, connection_string = own_server

    def stuck(path):
        path.joinpath("running").touch()
        while True:
            pass

    def kill_when_running():
        wait_until(tmp_path.joinpath("running").exists, "the start of the script")
        os.kill(server.process_id, signal.SIGKILL)

    zygote = zygote_of(server)
    killer = threading.Thread(target=kill_when_running, daemon=True)
    killer.start()
    cc = RxInSqlServer(connection_string, max_attempts=1)
    with pytest.raises(ConnectionLost, match="see that the server runs, and call again"):
        rx_exec(stuck, path=tmp_path, compute_context=cc)
    killer.join()
    wait_until(lambda: gone(zygote), "the end of the zygote")


@pytest.mark.embedded_only
def test_a_script_ends_with_its_killed_client(own_server, tmp_path):
    _, connection_string = own_server
    code = """
        import sys
        from pathlib import Path
        from sqlexec import RxInSqlServer, rx_exec

        def stuck(path):
            import os
            Path(path).write_text(str(os.getpid()))
            while True:
                pass

        rx_exec(stuck, path=sys.argv[2], compute_context=RxInSqlServer(sys.argv[1]))
    """
    marker = tmp_path / "pid"
    arguments = [sys.executable, "-c", textwrap.dedent(code), connection_string, str(marker)]
    client = subprocess.Popen(arguments)
    wait_until(lambda: marker.exists() and marker.read_text(), "the start of the script")
    script = psutil.Process(int(marker.read_text()))
    client.kill()
    client.wait()
    wait_until(lambda: gone(script), "the end of the script")
    assert rx_exec(double, x=1, compute_context=RxInSqlServer(connection_string)) == [2]


@pytest.mark.embedded_only
def test_a_server_that_no_longer_answers_holds_nobody(own_server, tmp_path, monkeypatch):
    server, connection_string = own_server
    monkeypatch.setattr(crew, "GRACE_SECONDS", 0.1)

    def stuck(path):
        path.joinpath("running").touch()
        time.sleep(60)

    def stop_when_running():
        wait_until(tmp_path.joinpath("running").exists, "the start of the script")
        process.suspend()

    process = psutil.Process(server.process_id)
    stopper = threading.Thread(target=stop_when_running)
    stopper.start()
    rescue = threading.Timer(PATIENCE, process.resume)
    rescue.start()
    cc = RxInSqlServer(connection_string, execution_timeout_seconds=2)
    try:
        with pytest.raises(ExecutionTimeout):
            rx_exec(stuck, path=tmp_path, compute_context=cc)
        stopper.join()
        assert process.status() == psutil.STATUS_STOPPED
    finally:
        rescue.cancel()
        process.resume()


def test_an_interrupt_ends_the_call_and_no_more(connection_string, tmp_path):
    def stuck(path):
        path.joinpath("running").touch()
        time.sleep(60)

    def interrupt():
        wait_until(tmp_path.joinpath("running").exists, "the start of the script")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        rx_exec(stuck, path=tmp_path, compute_context=RxInSqlServer(connection_string))
    thread.join()
    assert rx_exec(double, x=1, compute_context=RxInSqlServer(connection_string)) == [2]


def test_threads_share_a_context(cc):
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda n: rx_exec(double, x=[n, n + 1], compute_context=cc), range(16))
        assert list(found) == [[2 * n, 2 * n + 2] for n in range(16)]


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)"])
def test_a_fork_leaves_the_sessions_to_its_parent(connection_string, end):
    found = run_client(
        f"""
        import os, sys
        from sqlexec import RxInSqlServer, rx_exec

        cc = RxInSqlServer(sys.argv[1])
        def double(x): return 2 * x
        rx_exec(double, x=1, compute_context=cc)
        if os.fork() == 0:
            assert rx_exec(double, x=2, compute_context=cc) == [4]
            {end}
        assert os.wait()[1] == 0
        print(rx_exec(double, x=3, compute_context=cc))
        """,
        connection_string,
    )
    assert (found.stdout, found.stderr, found.returncode) == ("[6]\n", "", 0)


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "thread = threading.Thread(target=run, args=[stuck], daemon=True); thread.start()\n"
        "time.sleep(0.3)",
    ],
    ids=["idle", "busy"],
)
def test_an_interpreter_ends_quietly(connection_string, rest):
    code = """
import sys, threading, time
from sqlexec import RxInSqlServer, rx_exec

def double(x):
    return 2 * x

def stuck(x):
    import time
    time.sleep(60)

def run(function):
    return rx_exec(function, x=[1, 2], compute_context=RxInSqlServer(sys.argv[1], num_tasks=2))

print(run(double))
"""
    found = run_client(code + rest, connection_string)
    assert (found.stdout, found.stderr, found.returncode) == ("[2, 4]\n", "", 0)
