"""The shape of a run: who ran what when, as a DataFrame and as a picture.

worker 1 |..########....#######   |     # runs of the function
worker 2 |..#####xxxxx ..#########|     . launch and transfer, x a call that failed
"""

from __future__ import annotations

import html
import shutil
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlexec.public import public
from sqlexec.tasks import Call, Outcome, Outcomes

if TYPE_CHECKING:
    import pandas

WIDTH, ROW, LEFT, BAR, LEGEND = 800, 22, 80, 14, 150  # of the SVG picture, in pixels
COLORS = {"work": "#2a9d8f", "call": "#e9c46a", "failed": "#e76f51"}
MARKS = {"work": "#", "call": ".", "failed": "x"}
WORDS = {"work": "runs", "call": "launch and transfer", "failed": "failed calls"}
COLUMNS = (
    "index",
    "worker",
    "chunk",
    "attempt",
    "process_id",
    "started",
    "ended",
    "seconds",
    "status",
)


@dataclass(slots=True)
class Bar:
    """One call: from `begin` to `end` by the client's clock, its runs within."""

    worker: int
    begin: float
    end: float
    work: tuple[float, float] | None = None  # None for a call that failed
    label: str = ""


@dataclass(slots=True)
class _Work:
    """What ran in one call, or in one process where there were no calls."""

    count: int = 0
    begin: float = float("inf")
    end: float = 0.0

    def add(self, outcome: Outcome) -> None:
        self.count += 1
        if outcome.started:
            self.begin = min(self.begin, outcome.started)
            self.end = max(self.end, outcome.ended)


@public
class Report:
    """Who ran what when; `rx_exec(..., report=True)` gives one beside the results.

    `print(report)` draws it in a terminal, a notebook shows it as SVG.

    Attributes
    ----------
    seconds : float
        From the start of the job to its end, by the client's clock.
    workers : int
        How many made calls.
    shares : dict of str to float
        Parts of the workers' time: "work" (runs of the function), "launch" (the rest of their
        calls: launch, transfer), "failed" (calls that failed) and "idle".

    Example
    -------
    >>> results, report = rx_exec(pow, base=[2, 3], exp=2, report=True)
    >>> report.to_frame()["index"].tolist()
    [0, 1]
    """

    def __init__(self, span: tuple[float, float] | None = None) -> None:
        self._span = span  # of a job that is over; else from now until the last outcome
        self._begin, self._end = span or (time.time(), 0.0)
        self._rows: list[tuple[int, Call | None, int, float, float, str]] = []
        self._work: dict[Call | int, _Work] = {}  # by call, or by process where there was none

    def watch(self, delivered: Iterable[Outcomes]) -> Generator[Outcomes, None, None]:
        """Pass outcomes on and keep what they tell of their runs, not their values."""
        try:
            for outcomes in delivered:
                for outcome in outcomes:
                    self._note(outcome)
                yield outcomes
        finally:
            if hasattr(delivered, "close"):
                delivered.close()  # a generator's, which cancels
            if self._span is None:
                self._end = time.time()

    def _note(self, outcome: Outcome) -> None:
        status = "finished" if outcome.error is None else type(outcome.error).__name__
        times = (outcome.started, outcome.ended)
        self._rows.append((outcome.index, outcome.call, outcome.process_id, *times, status))
        self._work.setdefault(outcome.call or outcome.process_id, _Work()).add(outcome)

    def to_frame(self) -> pandas.DataFrame:
        """A row a run, in the order of the arguments.

        Columns: index, worker, chunk (number of its call), attempt, process_id, started, ended
        (UTC, by the clock of the machine that ran it; NaT for a run that no process finished),
        seconds, status ("finished" or the name of its error).
        """
        import pandas

        rows = []
        for index, call, process_id, started, ended, status in sorted(
            self._rows, key=lambda row: row[0]
        ):
            made = call or Call()
            seconds = ended - started if started else float("nan")
            times = [started or None, ended or None]
            rows.append(
                (index, made.worker, made.number, made.attempt, process_id, *times, seconds, status)
            )
        frame: pandas.DataFrame = pandas.DataFrame(rows, columns=list(COLUMNS))
        for name in ("started", "ended"):
            frame[name] = pandas.to_datetime(frame[name].astype("float64"), unit="s", utc=True)
        return frame

    @property
    def seconds(self) -> float:
        return (self._end or time.time()) - self._begin

    @property
    def workers(self) -> int:
        return len({bar.worker for bar in self.bars()})

    @property
    def shares(self) -> dict[str, float]:
        work = calls = failed = 0.0
        for bar in self.bars():
            if bar.work is None:
                failed += bar.end - bar.begin
            else:
                done = bar.work[1] - bar.work[0]
                work += done
                calls += bar.end - bar.begin - done
        whole = max(self.seconds * self.workers, work + calls + failed) or 1.0
        idle = whole - work - calls - failed
        parts = {"work": work, "launch": calls, "failed": failed, "idle": idle}
        return {name: part / whole for name, part in parts.items()}

    def bars(self) -> list[Bar]:
        """A bar for each call, failed ones too, by worker and time."""
        offset = _clock_offset(self._work)
        bars, seen = [], set()
        processes = sorted(each for each in self._work if isinstance(each, int))
        for key, work in self._work.items():
            if isinstance(key, int):  # no calls: the process is the worker
                worker = processes.index(key) + 1
                span = (work.begin, work.end)
                label = f"{_number(work.count, 'run')}, process {key}"
                bars.append(Bar(worker, *span, span, label))
                continue
            if work.end:
                begin = min(max(work.begin + offset, key.sent), key.received)
                end = min(max(work.end + offset, begin), key.received)
                label = f"call {key.number}: {_number(work.count, 'run')}, {_sizes(key)}"
                bars.append(Bar(key.worker, key.sent, key.received, (begin, end), label))
            failed = key.earlier if work.end else key
            while failed is not None and failed not in seen:
                seen.add(failed)
                label = f"call {failed.number}: {failed.status}"
                bars.append(Bar(failed.worker, failed.sent, failed.received, None, label))
                failed = failed.earlier
        return sorted((bar for bar in bars if bar.begin), key=lambda bar: (bar.worker, bar.begin))

    # --- pictures -------------------------------------------------------------------------

    def __str__(self) -> str:
        columns = max(20, shutil.get_terminal_size().columns - 14)
        scale = columns / (self.seconds or 1.0)
        lines: dict[int, list[str]] = {}
        for bar in self.bars():
            line = lines.setdefault(bar.worker, [" "] * columns)
            for kind, begin, end in _parts(bar):
                first = round((begin - self._begin) * scale)
                last = max(first + 1, round((end - self._begin) * scale))
                for place in range(max(0, first), min(last, columns)):
                    line[place] = MARKS[kind]
        drawn = [f"worker {worker:>3} |{''.join(line)}|" for worker, line in lines.items()]
        legend = "   ".join(f"{MARKS[kind]} {words}" for kind, words in WORDS.items())
        return "\n".join([self._summary(), *drawn, legend])

    def __repr__(self) -> str:
        return f"<Report: {self._summary()}>"

    def _repr_svg_(self) -> str:
        """The picture for notebooks."""
        scale = (WIDTH - LEFT) / (self.seconds or 1.0)
        bars = self.bars()
        places = {worker: n for n, worker in enumerate(sorted({bar.worker for bar in bars}))}
        height = ROW * (len(places) + 2)
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            'font-family="sans-serif" font-size="12" fill="currentColor">',
            f'<text x="0" y="14">{html.escape(self._summary())}</text>',
        ]
        for worker, place in places.items():
            parts.append(f'<text x="0" y="{ROW * (place + 1) + 12}">worker {worker}</text>')
        for bar in bars:
            top = ROW * (places[bar.worker] + 1)
            parts.append(f"<g><title>{html.escape(bar.label)}</title>")
            for kind, begin, end in _parts(bar):
                left = LEFT + (begin - self._begin) * scale
                width = max(0.5, (end - begin) * scale)
                parts.append(
                    f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{BAR}" '
                    f'fill="{COLORS[kind]}"/>'
                )
            parts.append("</g>")
        bottom = ROW * (len(places) + 1) + 14
        for number, (kind, words) in enumerate(WORDS.items(), 1):
            left = LEFT + number * LEGEND
            parts.append(
                f'<text x="{left}" y="{bottom}"><tspan fill="{COLORS[kind]}">\u25a0</tspan> '
                f"{words}</text>"
            )
        parts.append(f'<text x="{LEFT}" y="{bottom}">0 s</text>')
        parts.append(
            f'<text x="{WIDTH}" y="{bottom}" text-anchor="end">{self.seconds:.2f} s</text></svg>'
        )
        return "\n".join(parts)

    def _summary(self) -> str:
        told = ", ".join(f"{share:.0%} {name}" for name, share in self.shares.items() if share)
        calls = len(self.bars())
        return (
            f"{_number(len(self._rows), 'run')} in {_number(calls, 'call')} by "
            f"{_number(self.workers, 'worker')}, {self.seconds:.2f} s: {told}"
        )


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _parts(bar: Bar) -> Iterator[tuple[str, float, float]]:
    if bar.work is None:
        yield "failed", bar.begin, bar.end
    else:
        yield "call", bar.begin, bar.end
        yield "work", *bar.work


def _clock_offset(work: dict[Call | int, _Work]) -> float:
    """Seconds to add to the server's clock: 0 if every call can have run within its own times."""
    pairs = [(each, call) for call, each in work.items() if isinstance(call, Call) and each.end]
    if not pairs:
        return 0.0
    least = max(call.sent - each.begin for each, call in pairs)
    most = min(call.received - each.end for each, call in pairs)
    return 0.0 if least <= 0.0 <= most else (least + most) / 2


def _sizes(call: Call) -> str:
    return f"{call.payload_bytes:,} bytes there, {call.result_bytes:,} back"
