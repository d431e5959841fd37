"""Findings as text, as a table of a terminal, as HTML."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from sqlexec.diagnosis.findings import Finding, Status

if TYPE_CHECKING:
    from rich.table import Table

COLORS: dict[Status, str] = {
    "pass": "green",
    "warn": "yellow",
    "fail": "red",
    "skipped": "bright_black",
}
_HTML_COLORS: dict[Status, str] = {
    "pass": "#2a9d8f",
    "warn": "#b8860b",
    "fail": "#c0392b",
    "skipped": "#808080",
}


def summary(findings: Sequence[Finding]) -> str:
    """How many of each: "15 pass, 1 warn, 2 fail"."""
    counts = Counter(finding.status for finding in findings)
    return ", ".join(f"{counts[status]} {status}" for status in COLORS if status in counts)


def condensed(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Neighbours that say the same as one: what a failed check leaves to be skipped."""
    for _, group in groupby(findings, lambda each: (each.status, each.message, each.fix)):
        first, *others = group
        names = ", ".join(each.name for each in (first, *others))
        if others:
            yield replace(
                first, name=f"{len(others) + 1} checks", message=f"{names}: {first.message}"
            )
        else:
            yield first


def text(server: str, findings: Sequence[Finding]) -> str:
    """A line for each finding, its fix below it."""
    shown = list(condensed(findings))
    width = max((len(finding.name) for finding in shown), default=0)
    lines = [server]
    for finding in shown:
        lines.append(f"{finding.status:<7}  {finding.name:<{width}}  {finding.message}")
        if finding.fix:
            lines.append(f"{'':<7}  {'':<{width}}  fix: {finding.fix}")
    return "\n".join([*lines, summary(findings)])


def table(server: str, findings: Sequence[Finding]) -> Table:
    """The table that a terminal shows."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        title=Text(server), caption=summary(findings), title_justify="left", box=box.SIMPLE_HEAD
    )
    for column in ("", "check", "what was seen, and its fix"):
        made.add_column(column, overflow="fold")
    for finding in condensed(findings):
        color = COLORS[finding.status]
        seen = Text(finding.message)
        if finding.fix:
            seen.append(f"\nfix: {finding.fix}", style="bold")
        made.add_row(Text(finding.status, style=color), Text(finding.name), seen)
    return made


def html_table(server: str, findings: Sequence[Finding]) -> str:
    """The table that a notebook shows."""
    rows = "".join(
        f'<tr><td style="color:{_HTML_COLORS[finding.status]}">{finding.status}</td>'
        f"<td>{html.escape(finding.name)}</td>"
        f'<td style="text-align:left">{html.escape(finding.message)}</td>'
        f'<td style="text-align:left"><code>{html.escape(finding.fix)}</code></td></tr>'
        for finding in condensed(findings)
    )
    return (
        f"<table><caption>{html.escape(server)}: {summary(findings)}</caption>"
        "<tr><th></th><th>check</th><th>what was seen</th><th>fix</th></tr>"
        f"{rows}</table>"
    )
