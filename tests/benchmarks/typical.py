"""A function as data scientists write them, with what it reaches in its module."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

RATES = {"low": 0.1, "middle": 0.2, "high": 0.35}
LIMITS = (10.0, 50.0)


@dataclass
class Account:
    """What one customer owes."""

    name: str
    amounts: list[float] = field(default_factory=list)

    @property
    def total(self) -> float:
        return sum(self.amounts)

    def rate(self) -> float:
        return RATES[level(self.total)]


class Book:
    """Accounts by name."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}

    def add(self, name: str, amount: float) -> None:
        self.accounts.setdefault(name, Account(name)).amounts.append(amount)

    def interest(self) -> list[float]:
        return [rounded(each.total * each.rate()) for each in self.accounts.values()]


def level(total: float) -> str:
    low, high = LIMITS
    return "low" if total < low else "middle" if total < high else "high"


def rounded(value: float, digits: int = 2) -> float:
    scale = math.pow(10, digits)
    return math.floor(value * scale + 0.5) / scale


def simulate(count: int) -> float:
    book = Book()
    for number in range(count):
        book.add(f"customer {number % 7}", float(number % 13))
    return statistics.fmean(book.interest())
