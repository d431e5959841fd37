"""What a task writes: long output, threads, children."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import multiprocessing
import os
import subprocess
import sys
import threading

import pytest

from sqlexec.runner.console import LEAST_WRITTEN, MOST_WRITTEN, Recorder


def recorded(test):
    """Enter a Recorder for the test; not in a fixture, after which pytest sets its own streams."""

    @functools.wraps(test)
    def entered():
        with Recorder() as recorder:
            test(recorder)

    del entered.__wrapped__  # its parameter is no fixture
    return entered


def text_of(lines, stream="stdout"):
    return "".join(text for name, text in lines if name == stream)


@recorded
def test_of_long_output_start_and_end_are_kept(recorder):
    count = MOST_WRITTEN // 5  # lines of ten characters
    for number in range(count):
        print(f"{number:09}")
    out, note, end = recorder.take()
    assert out[0] == end[0] == "stdout"
    assert out[1].startswith("000000000\n000000001\n")
    assert end[1].endswith(f"{count - 1:09}\n")
    assert len(out[1]) + len(end[1]) == MOST_WRITTEN
    assert note[0] == "stderr"
    lines = count - out[1].count("\n") - end[1].count("\n")
    assert f"{count * 10 - MOST_WRITTEN:,} characters ({lines:,} lines)" in note[1]


@recorded
def test_one_text_of_100_mb(recorder):
    sys.stdout.write("a" + "x" * 100_000_000 + "z")
    out, note, end = recorder.take()
    assert (len(out[1]), len(end[1])) == (MOST_WRITTEN // 2, MOST_WRITTEN // 2)
    assert (out[1][0], end[1][-1]) == ("a", "z")
    assert f"{100_000_002 - MOST_WRITTEN:,} characters" in note[1]


@recorded
def test_long_output_of_a_child(recorder):
    script = "import sys\nfor n in range(5): sys.stdout.write(str(n) * 1_000_000)"
    subprocess.run([sys.executable, "-c", script], check=True)
    out, note, end = recorder.take()
    assert out[1] == "0" * (MOST_WRITTEN // 2)
    assert end[1] == "4" * (MOST_WRITTEN // 2)
    assert f"{5_000_000 - MOST_WRITTEN:,} characters (0 lines)" in note[1]


@recorded
def test_nothing_is_cut_of_output_that_just_fits(recorder):
    sys.stdout.write("x" * (MOST_WRITTEN // 2))
    sys.stderr.write("y" * (MOST_WRITTEN // 2))
    assert [(name, len(text)) for name, text in recorder.take()] == [
        ("stdout", MOST_WRITTEN // 2),
        ("stderr", MOST_WRITTEN // 2),
    ]


@recorded
def test_many_talkative_tasks_share_a_limit(recorder):
    lengths = []
    for _ in range(400):
        sys.stdout.write("x" * MOST_WRITTEN)
        lengths.append(len(text_of(recorder.take())))
    assert lengths[0] == MOST_WRITTEN
    assert lengths[-1] == LEAST_WRITTEN
    assert sum(lengths) < 70_000_000


@recorded
def test_no_line_of_a_child_is_lost(recorder):
    script = "import os\nfor n in range(1000): os.write(1, b'child %d\\n' % n)"
    child = subprocess.Popen([sys.executable, "-c", script])
    while child.poll() is None:
        sys.stdout.write("parent\n")
    child.wait()
    lines = [line for line in text_of(recorder.take()).splitlines() if line != "parent"]
    assert lines == [f"child {n}" for n in range(1000)]


@recorded
def test_a_task_that_closes_its_descriptors(recorder):
    print("before")
    os.write(1, b"by descriptor\n")
    os.close(1)
    os.close(2)
    print("after")
    assert text_of(recorder.take()) == "before\nby descriptor\nafter\n"
    print("next")
    assert text_of(recorder.take()) == "next\n"


@recorded
def test_what_tasks_do_with_their_streams(recorder):
    own = sys.stdout
    own.reconfigure(encoding="utf-8", line_buffering=True)
    print("reconfigured", own.line_buffering, own.isatty(), own.fileno())
    own.close()
    print("closed", flush=True)
    sys.stdout = io.TextIOWrapper(own.detach(), encoding="utf-8", write_through=True)
    print("detached")
    assert recorder.take() == [("stdout", "reconfigured True False 1\nclosed\ndetached\n")]


def test_a_stream_that_is_kept_writes_to_the_one_of_the_time():
    with Recorder() as first:
        handler = logging.StreamHandler(sys.stdout)
        handler.stream.write("one")
        assert first.take() == [("stdout", "one")]
    with Recorder() as second:
        handler.stream.write("two")
        handler.flush()
        assert second.take() == [("stdout", "two")]
    with contextlib.redirect_stdout(io.StringIO()) as own:
        handler.stream.write("three")
    assert own.getvalue() == "three"


@recorded
def test_threads(recorder):
    def talk(name):
        for number in range(1000):
            sys.stdout.write(f"{name}{number}\n")

    threads = [threading.Thread(target=talk, args=[name]) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = text_of(recorder.take()).splitlines()
    assert sorted(lines) == sorted(f"{name}{number}" for name in "abc" for number in range(1000))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@recorded
def test_a_fork_of_the_process(recorder):
    def talk():
        print("from the fork")
        print("and its errors", file=sys.stderr)

    child = multiprocessing.get_context("fork").Process(target=talk)
    child.start()
    child.join()
    lines = recorder.take()
    assert text_of(lines) == "from the fork\n"
    assert text_of(lines, "stderr") == "and its errors\n"
