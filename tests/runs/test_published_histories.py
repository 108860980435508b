"""What must hold of every published run in every stored epoch: the ladder, the account, the loss, mu from its parts."""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from kdnb import methods, runs
from kdnb.runs import Run

RESULTS = Path(__file__).resolve().parents[2] / "results"
# A hidden folder is one that is being published; teachers may be published before their students.
STUDIES = [folder for folder in sorted(RESULTS.glob("[!.]*/")) if runs.find(folder, role="student")]
SIDES = ("", "bystander_")
EXACT, SINGLE = 1e-12, 1e-6  # relative: of sums of stored float64, of what was computed in float32
ABOVE = [("mu_raw", "mu_permuted"), ("mu_permuted", "mu_rotated"), ("mu_matched", "mu_permuted")]
ABOVE += [("mu_raw", "mu_centred"), ("bystander_mu_raw", "bystander_mu_rotated")]
every_study = pytest.mark.parametrize("study", STUDIES, ids=lambda folder: folder.name)


@cache
def students(study: Path) -> list[Run]:
    return runs.find(study, role="student")


@cache
def teacher_norms(study: Path) -> dict[str, float]:
    """||W_t|| by the checksum that students know their teacher by."""
    return {t.weights_checksum: float(t.history["weight_norm"].iloc[-1]) for t in runs.find(study, role="teacher")}


def column(run: Run, name: str) -> np.ndarray:
    return run.history[name].to_numpy(float)


def terms(run: Run, prefix: str) -> np.ndarray:
    """The columns that begin with ``prefix``."""
    names = [name for name in run.history if name.startswith(prefix)]
    assert names, f"{run.path.name} has no {prefix}*"
    return run.history[names].to_numpy(float)


def total(run: Run, prefix: str) -> np.ndarray:
    """Sum over the columns that begin with ``prefix``."""
    return terms(run, prefix).sum(1)


def exact(run: Run) -> float:
    """What stored numbers may differ by: the rounding of how they are stored."""
    return 4e-7 if run.told.get("history") == "float32" else EXACT


def has_mu(run: Run) -> bool:
    return "mu_raw" in run.history


def has_account(run: Run) -> bool:
    return "account_residual" in run.history


def holds(checked: Iterable[Run], broken: Callable[[Run], np.ndarray]) -> None:
    """``broken`` (epochs x conditions, or epochs) is False in every epoch of every run, and something was checked."""
    found = {run.path.name: np.asarray(broken(run)) for run in checked}
    assert found and all(len(values) for values in found.values())
    faults = {name: [*(np.flatnonzero(v.reshape(len(v), -1).any(1)) + 1)] for name, v in found.items() if v.any()}
    assert not faults, f"epochs at fault: {faults}"


def test_studies_are_published() -> None:
    assert {"digits", "cifar100-small"} <= {folder.name for folder in STUDIES}


@every_study
def test_every_epoch_is_there_and_finite(study: Path) -> None:
    found = students(study)
    assert len(found) == sum((folder / "spec.json").exists() for folder in study.iterdir()) - len(teacher_norms(study))
    for run in found:
        assert run.history["epoch"].tolist() == list(range(1, run.spec.epochs + 1)), run.path.name
    holds(found, lambda run: ~np.isfinite(run.history.to_numpy(float)))


@every_study
def test_mu_is_stored_wherever_it_is_defined_and_its_account_wherever_the_classifier_moves(study: Path) -> None:
    for run in students(study):
        assert has_mu(run) == methods.METHODS[run.spec.method].mu_is_defined, run.path.name
        moves = has_mu(run) and np.ptp(column(run, "weight_norm")) > 0
        assert has_account(run) == moves, run.path.name


@every_study
def test_more_freedom_to_align_never_leaves_a_larger_distance(study: Path) -> None:
    def broken(run: Run) -> np.ndarray:
        slack = exact(run) * (1 + column(run, "weight_norm"))
        return np.stack([column(run, less) > column(run, more) + slack for more, less in ABOVE], axis=1)

    holds(filter(has_mu, students(study)), broken)


@every_study
def test_mu_follows_from_the_norms_and_the_cosine(study: Path) -> None:
    def broken(run: Run) -> np.ndarray:
        assert run.spec.teacher
        taught, own = teacher_norms(study)[run.spec.teacher["checksum"]], column(run, "weight_norm")
        squares = taught**2 + own**2
        squared = squares - 2 * column(run, "classifier_cosine") * taught * own
        return np.abs(squared - column(run, "mu_raw") ** 2) > SINGLE * squares

    holds(filter(has_mu, students(study)), broken)


@every_study
@pytest.mark.parametrize("side", SIDES, ids=["teacher", "bystander"])
def test_the_account_of_mu_balances(study: Path, side: str) -> None:
    def unbalanced(run: Run) -> np.ndarray:
        squared = column(run, f"{side}mu_raw") ** 2
        booked = total(run, f"{side}pull_") + column(run, "spread") + column(run, f"{side}account_residual")
        # Each is stored with an error of its own size: a spring's pull and KD's may be large where mu is small.
        sizes = squared[1:] + squared[:-1] + np.abs(terms(run, f"{side}pull_")).sum(1)[1:]
        return np.abs(np.diff(squared) - booked[1:]) > exact(run) * sizes

    def large(run: Run) -> np.ndarray:
        """Steps round the weights in float32: an error in W_s times twice mu."""
        mu, own = column(run, f"{side}mu_raw"), column(run, "weight_norm")
        return np.abs(column(run, f"{side}account_residual")) > SINGLE * mu * np.maximum(mu, own)

    checked = [run for run in students(study) if has_account(run)]
    holds(checked, unbalanced)
    holds(checked, large)


@every_study
def test_the_loss_is_the_sum_of_its_terms(study: Path) -> None:
    def broken(run: Run) -> np.ndarray:
        return np.abs(total(run, "loss_") - column(run, "loss")) > exact(run) * np.abs(column(run, "loss"))

    holds(students(study), broken)
