"""A set of students, looked up by what they are: what the claims are judged on, and what chapters show."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isclose
from typing import Self

from kdnb.methods import METHODS
from kdnb.runs import Run, RunSpec

PAPERS = ("normal", "kd", "dist", "mse")  # the methods of the paper's own study
ALPHA = 0.9  # the paper's main sweep
PEAK = 4  # the temperature at which the paper sees its peak; the paper does not say which T its r = 0.972 is of
PICKED = (1, 4, 10)  # the temperatures that the paper picks out
HOTTEST = 10  # the paper's temperatures end there; other experiments on the same folder go on
FREE = ("init_seed", "order_seed", "view_seed", "teacher", "bystander", "teacher_outputs")  # see recipe
HOT = 50  # a temperature far beyond the paper's
# Of methods in figures; one's own follow.
ORDER = (
    *PAPERS,
    *("fitnet", "at", "vid", "semckd", "crd", "srrl", "simkd"),
    *("straight", "projected", "started", "pulled", "pushed"),
    *("frozen", "foreign", "random", "permuted", "rotated", "shuffled", "simplex"),
)


class Missing(LookupError):
    """A run or a reading that is needed is not there; the message says which."""


@dataclass(frozen=True, kw_only=True)
class Students:
    """Finished students of one data set and weight decay.

    students  those in front: of one seed and ``alpha``, one a label: normal, KD by rising T, DIST, MSE, others
    every     all seeds and alphas
    beside    where these are one of several seeds, all of them, alike in the rest; else empty
    """

    students: Sequence[Run]
    every: Sequence[Run]
    alpha: float = ALPHA
    beside: Sequence[Run] = ()

    @property
    def seed(self) -> int:
        """Of the students in front."""
        return (self.students or self.every)[0].spec.init_seed

    def get(self, label: str) -> Run | None:
        """The student of that label, None when there is none."""
        return next((run for run in self.students if run.label == label), None)

    def of(self, method: str, said: str = "") -> Run:
        """The student of a method at its own parameters; Missing when there is none, which calls it ``said``."""
        if (found := self.get(METHODS[method].label)) is None:
            raise Missing(said or f"method {method!r}")
        return found

    def normal(self) -> Run:
        """The normally trained student; Missing without it, as of the next three."""
        return self.of("normal", "normal training")

    def dist(self) -> Run:
        return self.of("dist", "DIST")

    def mse(self) -> Run:
        return self.of("mse", f"MSE at alpha {self.alpha:g}")

    def kd_at(self, temperature: float) -> Run:
        if temperature not in self.kd:
            raise Missing(f"KD at T={temperature:g}, alpha {self.alpha:g}")
        return self.kd[temperature]

    @cached_property
    def kd(self) -> dict[float, Run]:
        """KD's runs by rising temperature."""
        return {r.spec.method_parameters["temperature"]: r for r in self.students if r.spec.method == "kd"}

    @property
    def papers_kd(self) -> dict[float, Run]:
        """KD's runs at the paper's temperatures."""
        return {temperature: run for temperature, run in self.kd.items() if temperature <= HOTTEST}

    def by_alpha(self, temperature: float) -> dict[float, Run]:
        """KD at one temperature by rising alpha; without alpha = 0, which is no distillation."""
        of_seed = [r for r in self.every if r.spec.method == "kd" and r.spec.init_seed == self.seed]
        given = [(r.spec.method_parameters, r) for r in of_seed]
        found = {p["alpha"]: r for p, r in given if isclose(p["temperature"], temperature) and p["alpha"] > 0}
        return dict(sorted(found.items()))

    @cached_property
    def others(self) -> list[Run]:
        """Every run but KD's: normal, DIST, MSE."""
        return [run for run in self.students if run.spec.method != "kd"]

    @property
    def hottest(self) -> float:
        """The highest temperature; 1 without KD."""
        return max(self.kd, default=1.0)

    def nearest(self, temperature: float) -> Run | None:
        """KD at the temperature that is nearest, None without KD."""
        closest = min(self.kd, key=lambda found: abs(found - temperature), default=None)
        return None if closest is None else self.kd[closest]

    @property
    def picked(self) -> list[Run]:
        """KD at the temperatures of PICKED or the nearest, each once."""
        found = [run for run in map(self.nearest, PICKED) if run]
        return [run for run in self.kd.values() if run in found]

    @property
    def leading(self) -> Run:
        """Who stands for all where one is shown: KD at the temperature nearest to the paper's peak; else the first."""
        return self.nearest(PEAK) or self.students[0]

    @property
    def leading_pair(self) -> list[Run]:
        """KD beside normal training; one of them, or the first student, where that is all there is."""
        return [run for run in (self.nearest(PEAK), self.get("normal")) if run] or list(self.students[:1])

    @cached_property
    def first_of_each(self) -> list[Run]:
        """One a label, of all seeds: who is in front, and for a label that their seed lacks its lowest seed."""
        seeds = sorted({run.spec.init_seed for run in self.every})
        others = [run for seed in seeds for run in in_front(self.every, seed, self.alpha)]
        # What is first stays: a dictionary built from the last to the first.
        found = {run.label: run for run in reversed([*self.students, *others])}
        more = [run for run in found.values() if run not in self.students]
        return sorted([*self.students, *more], key=_place) if more else list(self.students)

    @cached_property
    def groups(self) -> dict[str, list[Run]]:
        """By label, the runs of one recipe, all seeds: what figures over seeds show."""
        there = by_recipe(self.every)
        return {first.label: there.get(recipe(first.spec), [first]) for first in self.first_of_each}

    @property
    def by_seeds(self) -> dict[str, list[Run]]:
        """:attr:`groups` of two seeds or more."""
        return {label: runs for label, runs in self.groups.items() if len({r.spec.init_seed for r in runs}) > 1}

    @property
    def shown(self) -> list[Run]:
        """Every run of :attr:`groups`; :attr:`every` has other alphas, too."""
        return [run for runs in self.groups.values() for run in runs]

    @property
    def seeds(self) -> list[Self]:
        """Each seed by itself, in front its students of :attr:`alpha`.

        Runs whose names differ in the seed alone are of one recipe, that of the student in front, else of the first
        seed; others are left out. ValueError for several data sets or weight decays: what is judged is about one.
        """
        for field in ("dataset", "weight_decay"):
            if len(values := {getattr(run.spec, field) for run in self.every}) > 1:
                listed = ", ".join(map(str, sorted(values)))
                raise ValueError(f"runs have several values of {field} ({listed}); judge them one at a time.")
        by_seed: dict[int, list[Run]] = {}
        alike = of_one_recipe(self.students, self.every)
        for run in alike:
            by_seed.setdefault(run.spec.init_seed, []).append(run)
        return [
            replace(self, students=in_front(mine, seed, self.alpha), every=mine, beside=alike)
            for seed, mine in sorted(by_seed.items())
        ]


def of_each_seed(runs: Iterable[Run], alpha: float = ALPHA) -> list[Students]:
    """The students among ``runs``, as :attr:`Students.seeds`."""
    return Students(students=(), every=[run for run in runs if run.spec.role == "student"], alpha=alpha).seeds


def in_front(every: Iterable[Run], seed: int, alpha: float) -> list[Run]:
    """Those of one seed and alpha, one a label, in the order of figures."""
    of_seed = [run for run in every if run.spec.init_seed == seed]
    found = [run for run in of_seed if isclose(run.spec.method_parameters.get("alpha", alpha), alpha)]
    return list({run.label: run for run in sorted(found, key=_place)}.values())


def _place(run: Run) -> tuple[int, str, float]:
    method = run.spec.method
    place = ORDER.index(method) if method in ORDER else len(ORDER)
    return place, method, run.spec.method_parameters.get("temperature", 0.0)


def _name(run: Run) -> str:
    """What its folder is called, whatever the seed."""
    return replace(run.spec, init_seed=0).name


def of_one_recipe(front: Iterable[Run], every: Sequence[Run]) -> list[Run]:
    """``every`` without runs of another recipe than the one of that name in ``front``, or else of the first seed."""
    wanted: dict[str, str] = {}
    for run in (*front, *sorted(every, key=lambda run: run.spec.init_seed)):
        wanted.setdefault(_name(run), recipe(run.spec))
    return [run for run in every if recipe(run.spec) == wanted[_name(run)]]


def by_recipe(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Runs by :func:`recipe`: those of one differ in their seeds."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(recipe(run.spec), []).append(run)
    return found


def recipe(spec: RunSpec) -> str:
    """What a run is apart from its seeds, its teachers, and whether these answered live or from a table.

    A table holds what a live teacher gives but for fp16 rounding. All else counts: data (their checksum tells a part
    of them from the whole), networks, method, optimiser, schedule, precision, when the matched snapshot is taken. A run
    that differs there is another experiment, and in an interval over seeds it would pass for chance.
    """
    return json.dumps({name: value for name, value in spec.as_json().items() if name not in FREE}, sort_keys=True)
