"""The paper's correlation of mu and the loss, and the controls beside it."""

from collections.abc import Iterable

from kdnb.analysis import readings, stats
from kdnb.analysis.study import Study
from kdnb.runs import Run

# Shares of the epochs that are left out: those that a reader can choose, and those of a curve (15 epochs of 240).
EIGHTHS = tuple(step / 8 for step in range(7))
SIXTEENTHS = tuple(step / 16 for step in range(16))
SIDES = {"mu_raw": "μ to the teacher", "bystander_mu_raw": "μ to the bystander"}


def r_after(run: Run, cut: int, column: str = "mu_raw") -> float:
    """The paper's r: Pearson's, of a column with the training loss, over the epochs after ``cut``; nan if undefined."""
    return stats.r_with_loss(run.after(cut), column)


def cuts(study: Study, shares: Iterable[float] = EIGHTHS) -> list[int]:
    """Warm-ups: ``shares`` of the run, and the chapter's own; each leaves enough epochs for an r."""
    chosen = {round(study.epochs * share) for share in shares} | {study.warm_up}
    return sorted(cut for cut in chosen if study.epochs - cut >= stats.LEAST_POINTS)


def within_phases(run: Run, cut: int) -> float:
    """r of raw mu and the loss within phases of constant learning rate after ``cut`` epochs, their mean; nan: none."""
    return readings.READINGS["within phases"](readings.of_run(run.after(cut), run.spec.drops))
