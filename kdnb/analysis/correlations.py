"""The paper's correlation of mu and the loss, and what stands beside it.

Three more readings: within phases of the learning rate, of changes, with ||W_s|| fixed. And what a clock has in mu's
place: minus the epoch, which falls and knows no network.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kdnb.analysis import stats
from kdnb.analysis.stats import Series
from kdnb.analysis.study import Study
from kdnb.runs import Run
from kdnb.runs.store import column_of

# Shares of the epochs that are left out: those that a reader can choose, and those of a curve (15 epochs of 240).
EIGHTHS = tuple(step / 8 for step in range(7))
SIXTEENTHS = tuple(step / 16 for step in range(16))
SIDES = {"mu_raw": "μ to the teacher", "bystander_mu_raw": "μ to the bystander"}


@dataclass(frozen=True)
class Curves:
    """Two curves over the same n epochs, and what a reading may hold fixed or leave out.

    given  n x k: what is held fixed; ``drops``: epochs after which the learning rate falls
    """

    x: Series
    y: Series
    given: Series
    epochs: Series
    drops: Sequence[int]


PAPERS, PHASES, CLOCK = "the paper's r", "within phases", "minus the epoch in μ's place"

Reading = Callable[[Curves], float]


READINGS: Mapping[str, Reading] = {
    PAPERS: lambda c: stats.pearson(c.x, c.y),
    PHASES: lambda c: stats.within_phases(c.x, c.y, c.epochs, c.drops),
    "changes": lambda c: stats.pearson(*stats.differences(c.x, c.y, c.epochs, c.drops)),
    "norm held fixed": lambda c: stats.partial(c.x, c.y, c.given),
    CLOCK: lambda c: stats.pearson(-c.epochs, c.y),
}


def of_run(run: Run, cut: int) -> Curves:
    """Raw mu and the loss after ``cut`` epochs, given the norm of the student's classifier; nan where it lacks one."""
    x, y, given, epochs = (column_of(run.after(cut), name) for name in ("mu_raw", "loss", "weight_norm", "epoch"))
    return Curves(x, y, given, epochs, run.spec.drops)


def r_after(run: Run, cut: int, column: str = "mu_raw") -> float:
    """The paper's r: Pearson's, of a column with the training loss, over the epochs after ``cut``; nan if undefined."""
    return stats.r_with_loss(run.after(cut), column)


def cuts(study: Study, shares: Iterable[float] = EIGHTHS) -> list[int]:
    """Warm-ups: ``shares`` of the run, and the chapter's own; each leaves enough epochs for an r."""
    chosen = {round(study.epochs * share) for share in shares} | {study.warm_up}
    return sorted(cut for cut in chosen if study.epochs - cut >= stats.LEAST_POINTS)
