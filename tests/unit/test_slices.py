"""Literals of T-SQL, and how parts of a key's range become slices."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlexec.data.literals import literal, quote_column
from sqlexec.data.slices import Part, merge_parts
from sqlexec.errors import ConfigurationError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        (True, "1"),
        (-7, "-7"),
        (0.1, "0.1E0"),
        (1e300, "1e+300"),
        (Decimal("1E+2"), "100"),
        (Decimal("-0.50"), "-0.50"),
        ("O'Hare; --", "N'O''Hare; --'"),
        (b"\x00\xff", "0x00ff"),
        (UUID(int=1), "N'00000000-0000-0000-0000-000000000001'"),
        (dt.date(2013, 1, 5), "'2013-01-05'"),
        (dt.datetime(2013, 1, 5, 6, 30), "'2013-01-05T06:30:00.000'"),
        (dt.datetime(2013, 1, 5, 6, 30, 0, 1), "'2013-01-05T06:30:00.000001'"),
        (dt.time(6, 30), "'06:30:00.000'"),
    ],
)
def test_literals(value, text):
    assert literal(value) == text


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, Decimal("NaN"), [1], dt.datetime.now(dt.timezone.utc)]
)
def test_what_has_no_literal(value):
    with pytest.raises(ConfigurationError, match="cannot stand in a query"):
        literal(value)


@given(st.text())
def test_text_stays_inside_its_quotes(text):
    inside = literal(text)[2:-1]
    assert inside.replace("''", "") == text.replace("'", "")
    assert quote_column(text)[1:-1].replace("]]", "]") == text


@given(st.lists(st.integers(1, 10), max_size=50), st.integers(10, 30))
def test_merged_parts_cover_all_rows(sizes, most):
    parts = list(enumerate(sizes))
    merged = merge_parts(parts, most)
    assert sum(part.rows for part in merged) == sum(sizes)
    assert all(part.rows <= most for part in merged)
    assert all(one.rows + sizes[other.low] > most for one, other in itertools.pairwise(merged))
    assert [part.low for part in merged] == sorted({part.low for part in merged})
    assert not merged or merged[0].low == 0


def test_a_part_that_fits_no_slice():
    assert merge_parts([(1, 4)], 4) == [Part(1, 4)]
    with pytest.raises(ConfigurationError, match="key="):
        merge_parts([(1, 5)], 4)
