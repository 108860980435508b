"""The account of mu over finished epochs: which cause moved mu squared, and what only the teacher moved."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import pandas as pd

from kdnb.analysis import over_seeds
from kdnb.analysis.study import Study
from kdnb.measure.history import BYSTANDER
from kdnb.runs import Run

LENGTH = "length_"  # of the account against a classifier of zeros, whose mu is ||W_s||
SETTLED = ("ce", "decay", "spread")  # the causes that are no distillation
PARTS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "distillation": lambda sums: sums.drop([cause for cause in sums.index if cause in SETTLED]),
    "cross-entropy": lambda sums: sums.filter(["ce"]),
    "weight decay": lambda sums: sums.filter(["decay"]),
    "all together": lambda sums: sums,
}
Excesses = Mapping[str, Mapping[str, Mapping[int, float]]]


def totals(run: Run, side: str, warm_up: int) -> dict[str, float]:
    """Change of mu^2 after ``warm_up`` by cause; ``side``: as of :func:`booked`. Empty without an account."""
    table = booked(run, side)
    return {str(cause): float(total) for cause, total in table[table.index > warm_up].sum().items()}


def booked(run: Run, side: str = "") -> pd.DataFrame:
    """Change of mu^2 in each epoch by cause; ``side``: "" to the teacher, BYSTANDER, LENGTH. Empty without an account.

    It has none either where the spread is not told: what the pulls leave out is no small part.
    """
    prefix = f"{side}pull_"
    columns = {c: c.removeprefix(prefix) for c in run.history.columns if c.startswith(prefix)}
    names = {**columns, "spread": "spread"} if columns and "spread" in run.history else {}
    table: pd.DataFrame = run.history.set_index("epoch")[list(names)].rename(columns=names)
    return table


def excess(run: Run) -> pd.DataFrame:
    """:func:`booked` to the teacher minus to the bystander, where the spread cancels; empty without a bystander."""
    teacher, other = booked(run), booked(run, BYSTANDER)
    return (teacher - other).drop(columns="spread") if len(other.columns) else other


def turned(run: Run, lengths: Mapping[str, float]) -> pd.Series:
    """What each cause did over the training to the cosine with W_t and not to that with W_o; positive: to the teacher.

    Its :func:`excess`, -2 <change of W_s, W_t - W_o>, by -2 ||W_s|| ||W_t||: of all movement it would always be a small
    share, since most of that is of the student's length. lengths: of teachers, by checksum. Empty where one is missing.
    """
    taught = lengths.get(run.spec.teacher["checksum"], float("nan")) if run.spec.teacher else float("nan")
    cosines: pd.Series = excess(run).sum() / (-2 * run.last("weight_norm") * taught)
    return cosines.dropna()


def accounted(study: Study, label: str, side: str = "") -> list[Run]:
    """The seeds of ``label`` that have an account; ``side``: as of :func:`booked`."""
    return [run for run in study.groups[label] if len(booked(run, side).columns)]


def mean_totals(runs: Iterable[Run], side: str = "") -> pd.Series:
    """Change of mu^2 over the whole training by cause, the mean over ``runs``; empty without any."""
    return pd.DataFrame([booked(run, side).sum() for run in runs]).mean()


def excesses(study: Study) -> Excesses:
    """By part of PARTS, label and seed: the sum over the training of :func:`excess`."""
    every = [run for runs in study.groups.values() for run in runs]
    sums = {run.path: excess(run).sum() for run in every}

    def of(run: Run, part: str) -> float | None:
        found = PARTS[part](sums[run.path])
        return float(found.sum()) if len(found) else None

    return {part: over_seeds.collect(study, partial(of, part=part)) for part in PARTS}
