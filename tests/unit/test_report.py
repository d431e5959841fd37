"""The report of a run, from outcomes made by hand; no server."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ElementTree

import pytest

from sqlexec import Report, rx_exec
from sqlexec.tasks import Call, Outcome, Outcomes


@pytest.fixture
def now():
    return time.time()


def report_of(outcomes, seconds):
    """As if the outcomes had come in so many seconds."""
    report = Report()
    (watched,) = report.watch([Outcomes.of(outcomes)])
    assert list(watched) == outcomes
    report._end = report._begin + seconds
    return report


def ran(index, call, begin, end, error=None):
    return Outcome(index, error=error, started=begin, ended=end, process_id=7, call=call)


def test_shares_of_the_workers_time(now):
    first = Call(worker=1, number=1, sent=now, received=now + 10)
    failed = Call(worker=2, number=2, sent=now, received=now + 2, status="ProcessDied")
    again = Call(worker=2, number=3, attempt=2, sent=now + 5, received=now + 8, earlier=failed)
    report = report_of(
        [
            ran(0, first, now + 1, now + 4),
            ran(1, first, now + 4, now + 9),
            ran(2, again, now + 6, now + 8),
        ],
        seconds=10,
    )
    assert report.workers == 2
    parts = {"work": 10 / 20, "launch": 3 / 20, "failed": 2 / 20, "idle": 5 / 20}
    assert report.shares == pytest.approx(parts)
    assert str(report).startswith("3 runs in 3 calls by 2 workers, 10.00 s: 50% work")


def test_a_picture_in_text(now, monkeypatch):
    monkeypatch.setenv("COLUMNS", "34")
    failed = Call(worker=1, number=1, sent=now, received=now + 5, status="ConnectionLost")
    call = Call(worker=1, number=2, sent=now + 10, received=now + 20, earlier=failed)
    report = report_of([ran(0, call, now + 14, now + 18)], seconds=20)
    assert str(report).splitlines()[1] == "worker   1 |xxxxx     ....####..|"


def test_a_picture_as_svg(now):
    call = Call(worker=3, number=1, sent=now, received=now + 1)
    report = report_of([ran(0, call, now, now + 1)], seconds=2)
    root = ElementTree.fromstring(report._repr_svg_())
    assert root.tag.endswith("svg")
    texts = ["".join(each.itertext()) for each in root.iter() if each.tag.endswith("text")]
    assert "worker 3" in texts
    assert "\u25a0 failed calls" in texts
    titles = [each.text for each in root.iter() if each.tag.endswith("title")]
    assert titles == ["call 1: 1 run, 0 bytes there, 0 back"]
    widths = [float(e.get("width")) for e in root.iter() if e.tag.endswith("rect")]
    assert widths == pytest.approx([360, 360], rel=0.01)


def test_a_row_a_run(now):
    call = Call(worker=2, number=5, attempt=3, sent=now, received=now + 1)
    outcomes = [ran(1, call, now, now + 0.5, ValueError("no")), ran(0, call, now + 0.5, now + 1)]
    lost = Outcome(2, error=OSError("gone"), call=call)
    frame = report_of([*outcomes, lost], seconds=1).to_frame()
    assert frame["index"].tolist() == [0, 1, 2]
    assert frame["status"].tolist() == ["finished", "ValueError", "OSError"]
    assert frame["seconds"].tolist()[:2] == pytest.approx([0.5, 0.5], abs=1e-6)
    assert frame.loc[2, ["started", "ended", "seconds"]].isna().all()
    assert (frame[["worker", "chunk", "attempt"]] == [2, 5, 3]).all(axis=None)


def test_another_clock_on_the_server(now):
    """An hour ahead: its runs are drawn within their calls all the same."""
    calls = [Call(worker=1, number=n, sent=now + n, received=now + n + 1) for n in range(2)]
    report = report_of(
        [ran(n, call, now + n + 3600.25, now + n + 3600.75) for n, call in enumerate(calls)],
        seconds=2,
    )
    assert [bar.work for bar in report.bars()] == pytest.approx(
        [pytest.approx((now + n + 0.25, now + n + 0.75), abs=1e-4) for n in range(2)]
    )


def test_a_job_without_calls_or_runs():
    results, report = rx_exec(pow, base=[2, 3], exp=2, report=True)
    assert results == [4, 9]
    assert report.workers == 1
    assert report.to_frame()["status"].tolist() == ["finished"] * 2
    results, report = rx_exec(pow, base=[], exp=2, report=True)
    assert (results, report.workers, len(report.to_frame())) == ([], 0, 0)
    assert "0 runs" in str(report)
    assert "<svg" in report._repr_svg_()
