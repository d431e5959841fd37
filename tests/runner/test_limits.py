"""Limits of time in a process of its own and in threads."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from sqlexec.runner.limits import TaskTimeout, TimeLimit


def spin(seconds=30.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def limited(seconds, action):
    """What an action raises under a limit, maybe as late as when that is stopped."""
    try:
        with TimeLimit(seconds, fatal=False) as limit:
            limit.start()
            try:
                action()
            finally:
                limit.stop()
    except TaskTimeout as error:
        return error
    return None


def in_a_thread(action):
    found = []
    thread = threading.Thread(target=lambda: found.append(action()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("where", [lambda action: action(), in_a_thread], ids=["main", "thread"])
def test_what_takes_too_long_is_interrupted(where):
    assert isinstance(where(lambda: limited(0.05, spin)), TaskTimeout)
    assert where(lambda: limited(30, lambda: None)) is None


def test_nothing_comes_after_the_end():
    def many():
        return [limited(0.002, lambda: spin(0.002)) for _ in range(50)]

    for found in (many(), in_a_thread(many)):
        assert {type(each) for each in found} <= {TaskTimeout, type(None)}
    spin(0.01)


def test_a_limit_in_a_thread_leaves_room_for_a_profiler():
    """What a thread's limit leaves behind must not keep profile functions from ending."""
    code = """
import sys, threading
from sqlexec.runner.limits import TaskTimeout, TimeLimit
def run():
    try:
        with TimeLimit(0.02, fatal=False) as limit:
            limit.start()
            while True:
                pass
    except TaskTimeout:
        pass
thread = threading.Thread(target=run)
thread.start()
thread.join()
sys.setprofile(lambda *_: None)
(lambda: None)()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_alarm_of_somebody_else_rings():
    rung = threading.Event()
    before = signal.signal(signal.SIGALRM, lambda *_: rung.set())
    timer = signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        assert isinstance(limited(0.02, spin), TaskTimeout)
        assert rung.wait(10)
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def test_what_nothing_interrupts_ends_its_process():
    code = """
import signal, time
from sqlexec.runner import limits
limits.GRACE = 0.1
with limits.TimeLimit(0.05) as limit:
    limit.start()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    time.sleep(60)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Timeout (0:00:00")
    assert 'File "<string>"' in ended.stderr
