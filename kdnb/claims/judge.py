"""How a claim's parts, judged seed by seed, become one verdict. The claims themselves: :mod:`kdnb.claims.paper`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from kdnb.analysis import stats
from kdnb.analysis.students import Missing, Students

Word = Literal["reproduced", "partly", "not reproduced", "not testable"]
Parts = Mapping[str, bool]
Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Measure:
    """One of a claim's numbers: what it is in words, and how it is written, with its unit.

    kind    value: its interval over seeds is Student's; correlation: the same on Fisher's scale; choice: one of the
            few temperatures that were run, which has no interval
    """

    text: str
    form: str
    kind: Literal["value", "correlation", "choice"] = "value"

    def write(self, value: float) -> str:
        """The number as it is shown, with a true minus; "undefined" for nan."""
        return self.form.format(value).replace("-", "−") if np.isfinite(value) else "undefined"

    def over_seeds(self, values: Sequence[float]) -> str:
        """Their mean; of choices all, since between two temperatures there may be none."""
        return ", ".join(map(self.write, values)) if self.kind == "choice" else self.write(float(np.mean(values)))

    def interval(self, values: Sequence[float]) -> tuple[float, float] | None:
        """The 95 % interval of the mean over seeds; None where there is none."""
        if self.kind == "choice":
            return None
        found = (stats.mean_correlation_interval if self.kind == "correlation" else stats.mean_interval)(values)
        return found if np.isfinite(found).all() else None

    def between(self, values: Sequence[float]) -> str:
        """That interval in words, or why there is none."""
        if found := self.interval(values):
            return f"{self.write(found[0])} to {self.write(found[1])}"
        return {0: "not tested", 1: "one seed, no interval"}.get(len(values), "no interval")


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, and how it is judged.

    title      in a few words
    text       what the paper says
    figure     its number, and where it stands
    judge      parts and numbers of one seed; Missing when a run is not there
    enough     how many parts make "partly"
    sentence   the numbers in words
    measures   every number by name, the main one first
    chapter    the notebook, and ``shown`` the figure in it, that carries the claim
    quoted     names of the numbers that the introduction may quote
    """

    id: str
    title: str
    text: str
    figure: str
    judge: Callable[[Students], tuple[Parts, Numbers]]
    enough: int
    sentence: str
    measures: Mapping[str, Measure]
    chapter: str
    shown: str
    quoted: Sequence[str] = ()


@dataclass(frozen=True)
class Verdict:
    """Outcome of one claim.

    evidence   means over seeds, and n
    parts      in how many seeds each part held
    seeds      the seeds that have the runs; ``values``: each number, in their order
    """

    id: str
    text: str
    figure: str
    verdict: Word
    evidence: Numbers
    parts: Mapping[str, int]
    sentence: str
    seeds: Sequence[int] = ()
    values: Mapping[str, Sequence[float]] = field(default_factory=dict)


def verdict(claim: Claim, by_seed: Sequence[Students]) -> Verdict:
    """Judge ``claim`` on every seed that has the runs it needs, and sum up."""
    found: dict[int, tuple[Parts, Numbers]] = {}
    missing = "at least one student"
    for students in by_seed:
        try:
            found[students.seed] = claim.judge(students)
        except Missing as reason:
            missing = str(reason)
    said = claim.id, claim.text, claim.figure
    if not found:
        return Verdict(*said, "not testable", {"n": 0}, {}, f"It needs {missing}.")
    every = list(found.values())
    values = {name: [float(numbers[name]) for _, numbers in every] for name in claim.measures}
    evidence = {name: float(np.mean(numbers)) for name, numbers in values.items()} | {"n": len(every)}
    parts = {name: sum(bool(held[name]) for held, _ in every) for name in every[0][0]}
    word = _word([sum(map(bool, held.values())) for held, _ in every], len(parts), claim.enough)
    return Verdict(*said, word, evidence, parts, _sentence(claim, evidence, parts), list(found), values)


def _word(held: Sequence[int], every: int, enough: int) -> Word:
    if all(count == every for count in held):
        return "reproduced"
    return "partly" if any(count >= enough for count in held) else "not reproduced"


def _sentence(claim: Claim, evidence: Numbers, parts: Mapping[str, int]) -> str:
    held = "; ".join(f"{name}: {count} of {evidence['n']}" for name, count in parts.items())
    return f"{claim.sentence.format(**evidence)} Seeds in which it held: {held}."
