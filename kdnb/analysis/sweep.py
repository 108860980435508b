"""What the claims are judged on: the runs of one seed by what they are, and the few readings taken of their curves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isclose

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from kdnb.analysis import stats
from kdnb.analysis.separation import ClassDistances
from kdnb.analysis.spaces import class_distances
from kdnb.methods import METHODS
from kdnb.runs import Run

PAPER_EPOCHS = 240
HOTTEST = 10  # the paper's temperatures end there; other experiments on the same folder go on
SMOOTHING = 5  # epochs (of 240) averaged where a curve's level is read, so that no single epoch decides


class Missing(LookupError):
    """A claim needs a run or a reading that is not there; the message says which."""


@dataclass(frozen=True)
class Sweep:
    """The students of one seed, looked up by what they are; each look-up raises Missing when there is none."""

    seed: int
    runs: Sequence[Run]
    alpha: float  # weight of distillation in the main sweep

    def normal(self) -> Run:
        return self._only("normal training", "normal")

    def dist(self) -> Run:
        return self._only("DIST", "dist")

    def mse(self) -> Run:
        return self._only(f"MSE at alpha {self.alpha:g}", "mse", alpha=self.alpha)

    def kd(self, temperature: float) -> Run:
        wanted = {"temperature": temperature, "alpha": self.alpha}
        return self._only(f"KD at T={temperature:g}, alpha {self.alpha:g}", "kd", **wanted)

    def of(self, method: str) -> Run:
        """The run of a method at its own parameters and the main sweep's alpha."""
        if (found := self.first(method)) is not None:
            return found
        raise Missing(f"method {method!r}")

    def first(self, method: str) -> Run | None:
        """The same, None when there is none."""
        usual = METHODS[method].label
        mine = [run for run in self._all(method) if run.spec.label == usual]
        return next((r for r in mine if isclose(r.spec.method_parameters.get("alpha", self.alpha), self.alpha)), None)

    def by_temperature(self) -> dict[float, Run]:
        """KD of the main sweep, by rising temperature; the paper's go up to ``HOTTEST``."""
        found = {r.spec.method_parameters["temperature"]: r for r in self._all("kd", alpha=self.alpha)}
        return _sorted({t: run for t, run in found.items() if t <= HOTTEST})

    def by_alpha(self, temperature: float) -> dict[float, Run]:
        """KD at one temperature by rising alpha; without alpha = 0, which is no distillation."""
        found = {r.spec.method_parameters["alpha"]: r for r in self._all("kd", temperature=temperature)}
        return _sorted({alpha: run for alpha, run in found.items() if alpha > 0})

    @cached_property
    def separation(self) -> dict[str, ClassDistances]:
        """Separation of the classes at matched accuracy, by label, for each student that reached it."""
        shown = [*self._all("normal"), *self.by_temperature().values()]
        found = {run.spec.label: class_distances(run, "matched") for run in shown}
        return {label: distances for label, distances in found.items() if distances is not None}

    def separation_of(self, label: str) -> ClassDistances:
        if label not in self.separation:
            raise Missing(f"{label} at matched accuracy")
        return self.separation[label]

    def _all(self, method: str, **parameters: float) -> list[Run]:
        return [r for r in self.runs if r.spec.method == method and _has(r.spec.method_parameters, parameters)]

    def _only(self, description: str, method: str, **parameters: float) -> Run:
        if found := self._all(method, **parameters):
            return found[0]
        raise Missing(description)


def sweeps(runs: Iterable[Run], alpha: float) -> list[Sweep]:
    """Students by seed; ValueError when they are of several data sets or weight decays: a claim is about one."""
    students = [run for run in runs if run.spec.role == "student"]
    for field in ("dataset", "weight_decay"):
        if len(values := {getattr(run.spec, field) for run in students}) > 1:
            listed = ", ".join(map(str, sorted(values)))
            raise ValueError(f"runs have several values of {field} ({listed}); judge them one at a time.")
    seeds = sorted({run.spec.init_seed for run in students})
    return [Sweep(seed, [r for r in students if r.spec.init_seed == seed], alpha) for seed in seeds]


def window(run: Run) -> pd.DataFrame:
    """History after the paper's warm-up: epochs 121-240 of 240, the same share of a shorter run."""
    return run.history[run.history["epoch"] > run.spec.epochs * stats.WARM_UP / PAPER_EPOCHS]


def mu_window(run: Run) -> stats.Series:
    """The paper's mu (raw) after the warm-up."""
    return window(run)["mu_raw"].to_numpy(float)


def level(run: Run, column: str, share: float) -> float:
    """Level of a curve when ``share`` of the run is done: mean of the 5 epochs (of 240) up to there."""
    last = max(1, round(run.spec.epochs * share))
    first = last - max(1, round(run.spec.epochs * SMOOTHING / PAPER_EPOCHS))
    epochs = run.history["epoch"]
    return float(run.history.loc[(epochs > first) & (epochs <= last), column].mean())


def r_with_loss(run: Run, series: stats.Series | None = None) -> float:
    """The paper's number: Pearson's r of a curve (default raw mu) with the training loss after the warm-up."""
    after = window(run)
    r = stats.r_with_loss(after if series is None else after.assign(mu_raw=series))
    if np.isnan(r):
        raise Missing(f"a curve of {run.spec.label} that is not constant, with at least 3 epochs after the warm-up")
    return r


def r_bystander(run: Run) -> float:
    """The same with mu to a teacher the student never saw; nan for a run that was trained without a bystander."""
    return stats.r_with_loss(window(run), "bystander_mu_raw")


def same_shape(first: Run, second: Run) -> float:
    """Pearson's r of two runs' raw mu after the warm-up: 1 when one is the other moved and stretched."""
    return stats.pearson(*_pair(first, second))


def curve_gap(first: Run, second: Run) -> float:
    """Root mean square of the relative difference of two runs' raw mu after the warm-up."""
    left, right = _pair(first, second)
    return float(np.sqrt(np.mean((left / right - 1) ** 2)))


def roughness(run: Run, series: stats.Series) -> float:
    """Epoch-to-epoch fluctuation beside the whole range: std of differences (none across drops) over std of levels."""
    epochs = window(run)["epoch"].to_numpy()[:-1]
    steps = np.diff(series)[~np.isin(epochs, run.spec.drops)]
    return float(steps.std() / series.std()) if series.std() > 0 else np.nan


def rank_correlation(x: Iterable[float], y: Iterable[float]) -> float:
    """Spearman's rank correlation, 1 when y never falls as x grows; nan for fewer than 2 points or a constant."""
    left, right = list(x), list(y)
    if len(left) < 2 or len(set(right)) < 2:
        return np.nan
    return float(scipy_stats.spearmanr(left, right).statistic)


def _pair(first: Run, second: Run) -> tuple[stats.Series, stats.Series]:
    if first.spec.epochs != second.spec.epochs:
        raise Missing(f"{first.spec.label} and {second.spec.label} over the same number of epochs")
    return mu_window(first), mu_window(second)


def _sorted(runs: dict[float, Run]) -> dict[float, Run]:
    return dict(sorted(runs.items()))


def _has(parameters: dict[str, float], wanted: dict[str, float]) -> bool:
    return all(name in parameters and isclose(parameters[name], value) for name, value in wanted.items())


ALPHA = 0.9  # the paper's main sweep
