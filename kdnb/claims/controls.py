"""Does a claim stand against its controls? A second judgement, beside the verdict of :mod:`kdnb.claims.paper`.

A verdict asks whether the paper's measurement comes out as the paper has it. This asks whether the measurement means
what it seems to mean, of the claims that rest on a correlation or on mu's movement. The rules, in full:

* A check is one number of one run (seed), and the sign that the claim gives it. It is answered *yes* when the 95%
  interval of the mean over seeds leaves out zero with that sign, *no* when it does not, and *cannot be said* with fewer
  than three seeds, or where there is no interval.
* A claim of two curves that go together (C1, C2, C4, C8, C10) has six checks. Over seeds: its r, measured as the paper
  does. This teacher: r with mu to the teacher, less r with mu to the bystander. This run: r of curves of one run, less
  the mean r with the second curve of the other seeds. And three that leave the schedule less to do: r within phases of
  constant learning rate, r of the changes from epoch to epoch, r with ||W_s|| held fixed (partial correlation).
* The number of C4 is the height of its peak, r at T = 4 above the higher of r at T = 1 and at T = 10, in each of these
  six ways. C10 is about 1 - cosine in place of mu, and has one check more: that it is rougher than mu.
* C3 has three: mu falls; it falls more than mu to the bystander; it falls more than ||W_s|| explains, that is below the
  mu of the same angle at the new norm.
* An interval is Student's over seeds, for an r on Fisher's scale. That of *this run* is of the whole table, each first
  curve with each second one, by least squares with a row, a column and the pairing (`mismatched_pairs.pairing`).

These rules were written after earlier runs had been looked at. They hold no number that could have been tuned to them:
zero is the only threshold, 95% and three seeds are conventions. Windows and levels are those of the claims. The
interval of *this run* was corrected later, when results had been seen: before, how well each second curve goes with
any first one counted as noise, which made it far too wide.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd

from kdnb.analysis.correlations import PAPERS, PHASES, READINGS, Curves, Reading
from kdnb.analysis.curves import column, fall, level, mu_window, roughness, window
from kdnb.analysis.mismatched_pairs import pairing
from kdnb.analysis.students import PEAK, Missing, Students, of_each_seed
from kdnb.claims.judge import Interval, Measure, of_seeds
from kdnb.measure.history import BYSTANDER
from kdnb.runs import Run

Answer = Literal["yes", "no", "cannot be said"]
Sign = Literal[1, -1]
Kind = Literal["value", "correlation"]


# ------------------------------------------------------------------------------------------------------------- checks
@dataclass(frozen=True)
class Check:
    """One control of a claim.

    measure  the number in words, and how it is written
    sign     of the number, as the claim has it
    values   one for each seed that has it
    interval of their mean; None where there is none
    """

    measure: Measure
    sign: Sign
    values: Sequence[float]
    interval: Interval | None

    @classmethod
    def of(cls, measure: Measure, sign: Sign, values: Sequence[float]) -> "Check":
        """The control whose values are independent: the interval is the measure's."""
        return cls(measure, sign, values, measure.interval(values))

    @property
    def answer(self) -> Answer:
        """Whether the interval over seeds leaves out zero with the claimed sign."""
        if self.interval is None:
            return "cannot be said"
        return "yes" if min(self.sign * end for end in self.interval) > 0 else "no"

    @property
    def mark(self) -> str:
        """The answer's."""
        return {"yes": "✓", "no": "✗", "cannot be said": "?"}[self.answer]


def tally(checks: Sequence[Check]) -> str:
    """How many checks are answered yes, and how many cannot be answered: ``2 of 6 checks, 1 open``."""
    answers = [check.answer for check in checks]
    left = answers.count("cannot be said")
    if not can_be_said(checks):
        return "cannot be said"
    return f"{answers.count('yes')} of {len(answers)} checks" + (f", {left} open" if left else "")


def standing(checks: Sequence[Check]) -> str:
    """How a claim stands against its controls, with a mark: every check, some, none, or none that can be answered."""
    answers = {check.answer for check in checks}
    some = "◧" if "yes" in answers else "?" if answers == {"cannot be said"} else "□"
    return f"{'■' if answers == {'yes'} else some}\u00a0{tally(checks)}"


# ---------------------------------------------------------------------------------------------- curves that go together
Pick = Callable[[Students], Run]
R = "{:z.3f}"
TEXTS = {
    PHASES: "within phases of the learning rate",
    "changes": "of the changes from epoch to epoch",
    "norm held fixed": "with ‖W‖ held fixed",
}


@dataclass(frozen=True)
class Tie:
    """A column of one student (``first``) beside a column of another, or of the same (``second``)."""

    first: Pick
    second: Pick
    column: str = "mu_raw"
    target: str = "loss"

    def curves(self, mine: Students, other: Students, side: str = "") -> Curves:
        """Both after the warm-up, the second from ``other``'s students; ``side``: BYSTANDER for mu to that teacher.

        Raises Missing where a run or a column is not there.
        """
        one, two = window(self.first(mine)), window(self.second(other))
        if len(one) != len(two):
            raise Missing("two students over the same number of epochs")
        has_loss = self.target == "loss"
        given = np.column_stack([column(table, "weight_norm") for table in ([one] if has_loss else [one, two])])
        x, y = column(one, side + self.column), column(two, self.target if has_loss else side + self.target)
        return Curves(x, y, given, column(one, "epoch"), self.first(mine).spec.drops)


@dataclass(frozen=True)
class Together:
    """A claim of curves that go together.

    what   its number in words
    sign   of the number, as the claim has it
    ties   the pairs of curves it is made of
    made   the number from their r
    beside what stands in its place to the bystander
    """

    what: str
    sign: Sign
    ties: Sequence[Tie]
    made: Callable[..., float] = lambda r: r
    beside: str = "the same with μ to the bystander"

    def checks(self, seeds: Sequence[Students]) -> list[Check]:
        """The six of the rules."""
        kind: Kind = "correlation" if len(self.ties) == 1 else "value"

        def this_teacher(mine: Students) -> float:
            return self._number(mine) - self._number(mine, side=BYSTANDER)

        found: list[tuple[str, Kind, Callable[[Students], float]]] = [
            (f"over seeds: {self.what}", kind, self._number),
            (f"this teacher: less {self.beside}", "value", this_teacher),
            *((text, kind, partial(self._number, reading=READINGS[name])) for name, text in TEXTS.items()),
        ]
        # Of r, from -1 to 1, a difference is at most 2; of the height of a peak, itself a difference, 4.
        limit = 2.0 * min(len(self.ties), 2)
        over, teacher, *others = (
            Check.of(Measure(text, R, kind, limit), self.sign, known(number, seeds)) for text, kind, number in found
        )
        run = Measure("this run: less the same with the curves of other seeds", R, "value", limit)
        return [over, teacher, self._this_run(run, seeds), *others]

    def _this_run(self, measure: Measure, seeds: Sequence[Students]) -> Check:
        """The number of one run's curves beside that of a first and a second one of two runs."""
        crossed = {mine.seed: of_seeds(partial(self._number, mine), seeds)[0] for mine in seeds}
        own = pairing(pd.DataFrame.from_dict(crossed, orient="index"))
        return Check(measure, self.sign, own.values, measure.possible(own.low, own.high))

    def _number(
        self,
        mine: Students,
        other: Students | None = None,
        side: str = "",
        reading: Reading = READINGS[PAPERS],
    ) -> float:
        return self.made(*(reading(tie.curves(mine, other or mine, side)) for tie in self.ties))


def known(number: Callable[[Students], float], seeds: Iterable[Students]) -> list[float]:
    """The number of every seed that has it."""
    found, _ = of_seeds(number, seeds)
    return [float(value) for value in found.values() if np.isfinite(value)]


# -------------------------------------------------------------------------------------------------------- mu's movement
def _beyond_norm(students: Students) -> float:
    """How far mu ends below the mu of its starting angle at its final norm, of its starting level.

    mu^2 = t^2 + s^2 - 2 t s c with s = ||W_s|| and c the cosine; t = ||W_t|| follows from any epoch.
    """
    mu, norm, cosine = (
        np.array([level(students.kd_at(PEAK), name, share) for share in (1 / 2, 1)])
        for name in ("mu_raw", "weight_norm", "classifier_cosine")
    )
    along = norm * cosine
    teacher = float(np.mean(along + np.sqrt(np.maximum(along**2 - norm**2 + mu**2, 0))))
    same_angle = np.sqrt(teacher**2 + norm[1] ** 2 - 2 * teacher * norm[1] * cosine[0])
    return float((same_angle - mu[1]) / mu[0])


def _movement(seeds: Sequence[Students]) -> list[Check]:
    """The three of C3."""
    numbers: dict[str, Callable[[Students], float]] = {
        "over seeds: fall of μ after the warm-up, T = 4": lambda students: fall(students.kd_at(PEAK)),
        "this teacher: less the fall of μ to the bystander": lambda students: (
            fall(students.kd_at(PEAK)) - fall(students.kd_at(PEAK), f"{BYSTANDER}mu_raw")
        ),
        "beyond what ‖W‖ explains: below the μ of the same angle": _beyond_norm,
    }
    return [Check.of(Measure(text, "{:+z.2%}"), 1, known(number, seeds)) for text, number in numbers.items()]


def _rougher(students: Students) -> float:
    run = students.kd_at(PEAK)
    return roughness(run, 1 - column(window(run), "classifier_cosine")) - roughness(run, mu_window(run))


# ---------------------------------------------------------------------------------------------------------- the claims
def _kd(temperature: float) -> Pick:
    return lambda students: students.kd_at(temperature)


_FOUR, _NORMAL = _kd(PEAK), Students.normal
_PEAK = "height of r at T = 4 above the higher of T = 1 and T = 10"
_COSINE = Together(
    "r of 1 − cosine and the loss, T = 4",
    1,
    [Tie(_FOUR, _FOUR, "classifier_cosine")],
    lambda r: -r,
    "the same to the bystander",
)  # of the cosine itself
CONTROLS: Mapping[str, Callable[[Sequence[Students]], list[Check]]] = {
    "C1": Together("r of μ and the loss, T = 4", 1, [Tie(_FOUR, _FOUR)]).checks,
    "C2": Together("r of μ and the loss", -1, [Tie(_NORMAL, _NORMAL)]).checks,
    "C3": _movement,
    "C4": Together(
        _PEAK, 1, [Tie(_kd(t), _kd(t)) for t in (1, PEAK, 10)], lambda low, peak, high: peak - max(low, high)
    ).checks,
    "C8": Together("r of DIST's μ with KD's, T = 4", 1, [Tie(Students.dist, _FOUR, target="mu_raw")]).checks,
    "C10": lambda seeds: [
        Check.of(Measure("rougher than μ (standard deviations)", R), 1, known(_rougher, seeds)),
        *_COSINE.checks(seeds),
    ],
}


def judge(runs: Iterable[Run]) -> dict[str, list[Check]]:
    """The checks of every claim that has controls, by its id, from the runs of one data set and weight decay.

    Raises ValueError when the students are of several data sets or weight decays.
    """
    seeds = of_each_seed(runs)
    return {claim: checks(seeds) for claim, checks in CONTROLS.items()}


def stands(checks: Sequence[Check]) -> bool:
    """Whether every check is answered yes."""
    return all(check.answer == "yes" for check in checks)


def can_be_said(checks: Sequence[Check]) -> bool:
    """Whether any check is answered yes or no."""
    return any(check.answer != "cannot be said" for check in checks)


def quotable(found: Mapping[str, Sequence[Check]]) -> dict[str, str]:
    """What a text may quote: ``c1_controls`` ("2 of 6 checks, 1 open"), ...; ``standing``: claims with all yes."""
    told = {f"{claim.lower()}_controls": tally(checks) for claim, checks in found.items()}
    return told | {"standing": f"{sum(map(stands, found.values()))} of {len(found)}"}
