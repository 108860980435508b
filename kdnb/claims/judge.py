"""One judge, of the paper's claims (:mod:`kdnb.claims.paper`) and of this book's statements (:mod:`kdnb.claims.book`).

Either has numbers of one seed, and parts that are asked of them. What the seeds say together is a word, and they differ
in how it is found: :func:`by_count` of the seeds in which the parts hold, :func:`by_interval` over the seeds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from kdnb.analysis import stats, words
from kdnb.analysis.students import Missing, Students

PapersWord = Literal["found here too", "partly", "not found here", "not testable"]
BooksWord = Literal["holds", "undecided", "does not hold", "too few seeds", "cannot be said"]
Word = PapersWord | BooksWord
MARKS: Mapping[Word, str] = {
    "found here too": "●",
    "partly": "◐",
    "not found here": "○",
    "not testable": "–",
    "holds": "●",
    "undecided": "◐",
    "does not hold": "○",
    "too few seeds": "◌",
    "cannot be said": "–",
}
Numbers = Mapping[str, float]
Parts = Mapping[str, float]  # a margin each, or a truth value: a part holds where it is positive
Interval = tuple[float, float]
S = TypeVar("S", bound=Students)
T = TypeVar("T")
EVERY = "every number"  # the key of a measure that all numbers of a claim have


class Share(float):
    """The share of yes among ``of`` answers of one seed, less ``bound``."""

    yes: int
    of: int
    bound: float

    def __new__(cls, yes: int, of: int, bound: float = 0.0) -> "Share":
        share = super().__new__(cls, yes / of - bound)
        share.yes, share.of, share.bound = yes, of, bound
        return share


def above(number: float, bound: float) -> float:
    """By how much a number exceeds ``bound``; of a :class:`Share`, with the answers that it is a share of."""
    return Share(number.yes, number.of, bound) if isinstance(number, Share) else number - bound


def interval_of(values: Sequence[float]) -> Interval:
    """The 95% interval of the mean over seeds: Student's; of a :class:`Share` a seed the exact one of all answers."""
    shares = [value for value in values if isinstance(value, Share)]
    if not shares or len(values) < stats.LEAST_RUNS:
        return stats.mean_interval(values)
    # A few shares of a few answers take few values: where all are alike, Student's interval would have no width.
    low, high = stats.share_interval(sum(one.yes for one in shares), sum(one.of for one in shares))
    return low - shares[0].bound, high - shares[0].bound


@dataclass(frozen=True)
class Measure:
    """One of a claim's numbers: what it is in words, and how it is written, with its unit.

    kind    value: its interval over seeds is Student's; correlation: mean and interval on Fisher's scale; choice: one
            of the few temperatures that were run, which has no interval
    limit   in size, beyond which there is no such number: an interval ends there
    """

    text: str
    form: str
    kind: Literal["value", "correlation", "choice"] = "value"
    limit: float = np.inf

    def write(self, value: float) -> str:
        """The number as it is shown, with a true minus; "undefined" for nan."""
        return words.number(value, self.form)

    def over_seeds(self, values: Sequence[float]) -> str:
        """Their mean; of choices all, since between two temperatures there may be none."""
        return ", ".join(map(self.write, values)) if self.kind == "choice" else self.write(self.mean(values))

    def mean(self, values: Sequence[float]) -> float:
        """Their mean, in the middle of :meth:`interval`."""
        return stats.mean_correlation(values) if self.kind == "correlation" else float(np.mean(values))

    def interval(self, values: Sequence[float]) -> Interval | None:
        """The 95% interval of the mean over seeds; None where there is none."""
        if self.kind == "choice":
            return None
        return self.possible(*(stats.mean_correlation_interval if self.kind == "correlation" else interval_of)(values))

    def possible(self, low: float, high: float) -> Interval | None:
        """An interval as far as there are such numbers; None where it has no ends."""
        ends = np.clip([low, high], -self.limit, self.limit)
        return (float(ends[0]), float(ends[1])) if np.isfinite([low, high]).all() else None

    def between(self, values: Sequence[float]) -> str:
        """That interval in words, or why there is none."""
        return self.told(self.interval(values), len(values))

    def told(self, interval: Interval | None, count: int) -> str:
        """An interval of ``count`` seeds in words, or why there is none."""
        if interval:
            return f"{self.write(interval[0])} to {self.write(interval[1])}"
        return {0: "not tested", 1: "one seed, no interval"}.get(count, "no interval")

    def side(self, values: Sequence[float]) -> int | None:
        """1 or -1 where the interval lies above or below zero, else 0; None where there is none."""
        found = self.interval(values)
        return None if found is None else int(found[0] > 0) - int(found[1] < 0)


def by_count(asked: Sequence[Parts]) -> PapersWord:
    """Found here too when all parts hold in every seed, partly when at least half of them do in any."""
    if not asked:
        return "not testable"
    shares = [sum(value > 0 for value in parts.values()) / len(parts) for parts in asked]
    if min(shares) == 1:
        return "found here too"
    return "partly" if max(shares) >= 1 / 2 else "not found here"


@dataclass(frozen=True)
class Claim(Generic[S]):
    """A claim of the paper, or a statement of this book, and how it is judged.

    title     in a few words
    text      what the paper says; of a statement, when it holds
    numbers   of the students of one seed; Missing when a run is not there
    parts     what is asked of the numbers, by name
    measures  every number that is shown by name, the main one first; or one under EVERY
    figure    the paper's number, and where it stands
    sentence  the numbers in words, where a chapter says them
    quoted    names of the numbers that other pages may quote
    borrowed  the paper has it from other works, so that it is not counted among what the paper found
    word      from the parts of every seed, what becomes of the claim: one of the paper is judged by count
    """

    id: str
    title: str
    text: str
    numbers: Callable[[S], Numbers]
    parts: Callable[[Numbers], Parts]
    measures: Mapping[str, Measure]
    figure: str = ""
    sentence: str = ""
    quoted: Sequence[str] = ()
    borrowed: bool = False
    word: Callable[[Sequence[Parts]], Word] = by_count

    @property
    def measure(self) -> Measure:
        """The main one."""
        return next(iter(self.measures.values()))


@dataclass(frozen=True)
class Verdict:
    """What became of a claim on one study.

    seeds    those that have the runs; ``values``: each number, in their order
    asked    the parts of each of them
    missing  where no seed has the runs, what the first one lacks
    """

    claim: Claim[Any]
    verdict: Word
    seeds: Sequence[int]
    values: Mapping[str, Sequence[float]]
    asked: Sequence[Parts]
    missing: str

    @property
    def parts(self) -> dict[str, int]:
        """In how many seeds each part held."""
        return {name: sum(bool(one[name] > 0) for one in self.asked) for name in (self.asked[0] if self.asked else ())}

    @property
    def sign(self) -> str:
        """The verdict in a word, with a mark to find it by, which stays with its word."""
        return f"{MARKS[self.verdict]}\u00a0{self.verdict}"

    @property
    def evidence(self) -> Numbers:
        """Means over seeds, and n."""
        measures = self.claim.measures
        means = {name: measures.get(name, self.claim.measure).mean(values) for name, values in self.values.items()}
        return means | {"n": len(self.seeds)}


def verdict(claim: Claim[S], seeds: Iterable[S]) -> Verdict:
    """Judge ``claim`` on every seed that has the runs it needs, and sum up."""
    found, missing = of_seeds(claim.numbers, seeds)
    asked = [claim.parts(numbers) for numbers in found.values()]
    given = dict.fromkeys(name for numbers in found.values() for name in numbers)
    names = given if EVERY in claim.measures else claim.measures if found else ()
    values = {name: [numbers[name] for numbers in found.values() if name in numbers] for name in names}
    return Verdict(claim, claim.word(asked), list(found), values, asked, missing)


def of_seeds(read: Callable[[S], T], seeds: Iterable[S]) -> tuple[dict[int, T], str]:
    """What ``read`` finds of each seed that has the runs; where none has them, what the first one lacks."""
    found: dict[int, T] = {}
    missing: list[str] = []
    for students in seeds:
        try:
            found[students.seed] = read(students)
        except Missing as reason:
            missing.append(str(reason))
    return found, "" if found else missing[0] if missing else "at least one student"


def by_interval(asked: Sequence[Parts]) -> BooksWord:
    """Holds when the 95% interval over seeds of every part lies above zero; does not when that of one lies below."""
    if not asked:
        return "cannot be said"
    if len(asked) < stats.LEAST_RUNS:
        return "too few seeds"
    sides = [Measure(name, "").side([parts[name] for parts in asked]) for name in asked[0]]
    if all(side == 1 for side in sides):
        return "holds"
    return "does not hold" if -1 in sides else "undecided"


def reach(asked: Sequence[Parts]) -> tuple[float, float]:
    """Half the interval of the margin that reaches lowest, and the half-width with which it would decide: its mean."""
    margins = [[parts[name] for parts in asked] for name in asked[0]]
    low, high = min(map(interval_of, margins))
    return (high - low) / 2, abs(low + high) / 2
