"""The commands run and jobs: what they print, and their exit codes."""

from __future__ import annotations

import json
import uuid

import pytest

from sqlexec.cli import main

SCRIPT = """
import sys, time

def double(x, fails=False, seconds=0):
    print("run", x)
    time.sleep(seconds)
    if fails:
        raise ValueError(f"no {x}")
    return 2 * x
"""


@pytest.fixture
def command(connection_string, tmp_path, monkeypatch, capsys):
    """Runs a command; gives exit code, stdout and stderr, stdout as a value where it is JSON."""
    script = tmp_path / "doubling_script.py"
    script.write_text(SCRIPT)
    monkeypatch.setenv("SQLEXEC_CONNECTION", connection_string)
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(*arguments):
        words = [f"{script}:double" if word == "DOUBLE" else str(word) for word in arguments]
        capsys.readouterr()
        code = main(words)
        printed = capsys.readouterr()
        out = json.loads(printed.out) if "--json" in words and printed.out else printed.out
        return code, out, printed.err

    return run


def test_run(command):
    code, out, err = command("run", "DOUBLE", "--arg", "x=[1, 2]", "--num-tasks", 2, "--follow")
    assert (code, out) == (0, "2\n4\n")
    *printed, progress = err.splitlines()  # in a log file, not on a terminal
    assert sorted(printed) == ["run 1", "run 2"]
    assert progress.startswith("sqlexec: 2 of 2 runs in ")
    code, out, _ = command("run", "DOUBLE", "--args-json", '[{"x": 1}, {"x": "a"}]', "--json")
    assert (code, out["results"]) == (0, [2, "aa"])


def test_run_that_fails(command):
    code, out, err = command("run", "DOUBLE", "--arg", "x=1", "--arg", "fails=true")
    assert (code, out) == (1, "")
    progress, _, told = err.partition("\n")
    assert progress.endswith(", 1 failed")
    assert told.startswith("run 0: ValueError: no 1\nTraceback")
    assert command("run", "DOUBLE")[0] == 2  # x is missing
    late = command("run", "DOUBLE", "--arg", "x=1", "--arg", "seconds=30", "--timeout", 1)
    assert late[0] == 3


def test_a_job_that_is_not_there_is_not_removed(command):
    code, out, err = command("jobs", "cleanup", str(uuid.uuid4()))
    assert (code, out) == (1, "")
    assert "There is no job" in err


def test_a_detached_job(command, tmp_path):
    code, out, _ = command("run", "DOUBLE", "--arg", "x=[1, 2]", "--detach", "--json")
    job = out["job_id"]
    assert code == 0
    code, out, err = command("jobs", "wait", job, "--timeout", 60, "--follow")
    assert (code, out) == (0, "FINISHED\n")
    assert sorted(err.splitlines()) == ["run 1", "run 2"]
    listed = command("jobs", "list", "--json", "--state", "finished", "--since", "2020-01-01")[1]
    assert job in [each["job_id"] for each in listed]
    assert job in command("jobs", "list")[1]
    code, out, _ = command("jobs", "show", job, "--json")
    assert (code, out["state"], out["tasks_done"]) == (0, "FINISHED", 2)
    assert "FINISHED" in command("jobs", "show", job)[1]
    assert command("jobs", "logs", job, "-f")[1] == "run 1\nrun 2\n"
    assert command("jobs", "logs", job, "--json")[1][0] == {"stream": "stdout", "text": "run 1\n"}
    code, out, _ = command("jobs", "cleanup", job)
    assert code == 3
    assert "--force" in out
    saved = tmp_path / "saved.json"
    code, out, _ = command("jobs", "results", job, "--output", saved, "--cleanup")
    assert (code, out, json.loads(saved.read_text())) == (0, "", [2, 4])
    code, _, err = command("jobs", "show", job)
    assert code == 1
    assert err.startswith("sqlexec: ")
    assert err.count("\n") == 1


def test_following_a_detached_job(command):
    code, out, err = command("run", "DOUBLE", "--arg", "x=3", "--detach", "--follow")
    assert (code, out) == (0, "6\n")
    assert "run 3\n" in err
    job = err.split()[1]
    assert command("jobs", "cleanup", "--force", job, "--json")[:2] == (0, {job: True})


def test_cancelling_and_resuming(command):
    words = ["run", "DOUBLE", "--arg", "x=1", "--arg", "seconds=2", "--detach"]
    job = command(*words)[1].strip()
    assert command("jobs", "wait", job, "--timeout", 0)[0] == 3
    assert command("jobs", "results", job)[0] == 3
    code, out, _ = command("jobs", "cancel", job, "--json")
    assert (code, out["cancelled"]) == (0, True)
    assert command("jobs", "wait", job)[0] == 4
    assert command("jobs", "results", job)[0] == 4
    code, out, _ = command("jobs", "resume", job, "--here", "--json")
    assert (code, out["state"]) == (0, "FINISHED")
    code, out, _ = command("jobs", "results", job, "--json", "--cleanup")
    assert (code, out["results"]) == (0, [2])


def test_purging(command):
    code, out, _ = command("jobs", "purge", "--older-than", 1000, "--json")
    assert (code, out) == (0, {"removed": 0})


def test_wrong_use(command):
    assert command("jobs", "show", "no-id")[0] == 2
    assert command("jobs", "nonsense")[0] == 2
    assert command("jobs", "purge", "--older-than", -1)[0] == 2
    assert "4 cancelled" in command("jobs", "--help")[1]
