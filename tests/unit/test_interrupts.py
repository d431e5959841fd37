"""Calls that Ctrl-C may meet: made apart from the thread that it interrupts."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sqlexec.server.interrupts import interruptible


def no_cancel() -> None:
    raise AssertionError("nothing was to be cancelled")


def test_the_main_thread_only_waits() -> None:
    assert interruptible(threading.current_thread, no_cancel) is not threading.main_thread()


def test_other_threads_call_themselves() -> None:
    def called_by() -> bool:
        return interruptible(threading.current_thread, no_cancel) is threading.current_thread()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(called_by).result()


def test_exceptions_come_through() -> None:
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0, no_cancel)


def test_an_interrupt_cancels_the_call_and_waits_for_its_end() -> None:
    cancelled, ended = threading.Event(), threading.Event()

    def call() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert cancelled.wait(30)
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        interruptible(call, cancelled.set)
    assert ended.is_set()


def test_a_second_interrupt_does_not_wait() -> None:
    go_on = threading.Event()

    def call() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert go_on.wait(30)

    def cancel() -> None:
        threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()

    with pytest.raises(KeyboardInterrupt):
        interruptible(call, cancel)
    assert not go_on.is_set()
    go_on.set()
