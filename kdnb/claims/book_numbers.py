"""The numbers that this book's own statements are tested on (:mod:`kdnb.claims.book`).

Of the students of one seed, by what they are; Missing, saying what is, when a run is not there.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from kdnb.analysis import accounts, alignment, class_agreement, norms, stats, stitched
from kdnb.analysis.curves import column, r_bystander, r_with_loss, window
from kdnb.analysis.over_seeds import Values
from kdnb.analysis.students import HOT, HOTTEST, PAPERS, PEAK, PICKED, Missing, Students, in_front
from kdnb.analysis.study import Study
from kdnb.claims.judge import Numbers, Share
from kdnb.claims.paper_numbers import at_matched_accuracy
from kdnb.methods import METHODS
from kdnb.runs import Run

PULLS = {"kd": "distillation", "decay": "weight decay"}


def _last(run: Run, column: str) -> float:
    if column not in run.history:
        raise Missing(f"{column} of {run.spec.label}")
    return run.last(column)


def _is_of_sweep(run: Run) -> bool:
    """Whether the paper trained such a student: by KD up to its hottest temperature, DIST, MSE or normally."""
    if run.spec.method == "kd":
        return run.spec.method_parameters["temperature"] <= HOTTEST
    return run.label in {METHODS[name].label for name in PAPERS}


def _kd_and_normal(students: Students) -> dict[str, Run]:
    return {f"KD T={PEAK}": students.kd_at(PEAK), "normal": students.normal()}


def _there(students: Students, methods: Iterable[str]) -> list[Run]:
    """Those of ``methods`` that were trained, at their own parameters."""
    return [run for name in methods if (run := students.get(METHODS[name].label)) is not None]


def cosines(students: Students) -> Numbers:
    """Cosine of the student's and the teacher's classifier at the end."""
    runs = _kd_and_normal(students) | {f"for comparison: {run.label}": run for run in _there(students, ["started"])}
    return {text: _last(run, "classifier_cosine") for text, run in runs.items()}


def correlations(students: Students) -> Numbers:
    """r of mu and the loss, to the teacher and to the bystander, and r of their changes."""
    run = students.kd_at(PEAK)
    known = {"μ to the teacher": r_with_loss(run), "μ to the bystander": r_bystander(run)}
    if np.isnan(known["μ to the bystander"]):
        raise Missing(f"μ to the bystander of {run.label}")
    mu, loss, epochs = (column(window(run), name) for name in ("mu_raw", "loss", "epoch"))
    return known | {"changes from epoch to epoch": stats.pearson(*stats.differences(mu, loss, epochs, run.spec.drops))}


def movers(study: Study) -> Numbers:
    """What distillation and decay did to the cosine with W_t and not to that with W_o, in all; KD, T = 4."""
    run = study.kd_at(PEAK)
    found = accounts.turned(run, alignment.lengths(study))
    if not set(PULLS) <= set(found.index):
        raise Missing(f"an account of μ to teacher and bystander of {run.label}, and the teacher's ‖W_t‖")
    return {text: float(found[cause]) for cause, text in PULLS.items()}


def rotated(study: Study) -> Numbers:
    """Cosine of W_s and W_t after the best rotation, less that with the bystander's; it knows no lengths."""
    found = alignment.differences(study, "rotated", "cosine")
    needed = f"rotated μ of KD T={PEAK} and normal training to teacher and bystander"
    return {text: _only(found, run, needed) for text, run in _kd_and_normal(study).items()}


def _only(values: Values, run: Run, needed: str) -> float:
    """The value of one student; Missing, calling it ``needed``, where it has none."""
    if run.spec.init_seed not in (found := values.get(run.label, {})):
        raise Missing(needed)
    return found[run.spec.init_seed]


def plug_in(students: Students) -> Numbers:
    """Accuracy of W_t on the student's features as a share of the student's own accuracy."""
    numbers = {}
    for text, run in _kd_and_normal(students).items():
        own = _last(run, "test_accuracy")
        numbers[f"{text}, as they are"] = _last(run, "plug_in_accuracy") / own
        numbers[f"{text}, matched"] = _last(run, "plug_in_accuracy_matched") / own
    return numbers


def frozen(students: Students) -> Numbers:
    """Points of accuracy beside KD's, T = 4, same seed: with W_t, with W_t permuted, and others of the kind."""
    return _beside_kd(students, ["frozen", "permuted"], ["started", "simkd"])


def springs(students: Students) -> Numbers:
    """The same for classifiers that a spring draws to W_t, or holds off."""
    return _beside_kd(students, ["pulled", "pushed"])


def turned(students: Students) -> Numbers:
    """The same for classifiers whose axes, or whose classes, are not the teacher's."""
    return _beside_kd(students, ["frozen", "rotated", "shuffled"], ["simplex"])


def _beside_kd(students: Students, needed: Sequence[str], others: Sequence[str] = ()) -> Numbers:
    runs = [*map(students.of, needed), *_there(students, others)]
    level = _last(students.kd_at(PEAK), "test_accuracy")
    return {run.label: 100 * (_last(run, "test_accuracy") - level) for run in runs}


def nears_mse(students: Students) -> Numbers:
    """How far r of mu and the loss is from MSE's, by temperature."""
    target = r_with_loss(students.mse())
    return {f"T = {t}": abs(r_with_loss(students.kd_at(t)) - target) for t in (1, PEAK, HOTTEST, HOT)}


def separation(students: Students) -> Numbers:
    """Between / within distance of classes at matched accuracy, beside normal training."""
    base = at_matched_accuracy(students.normal()).ratio
    return {f"KD T={t}": at_matched_accuracy(students.kd_at(t)).ratio / base - 1 for t in (1, PEAK, HOTTEST)}


def class_geometry(study: Study) -> Numbers:
    """Rank correlation of the student's class distances with its teacher's, less that with the bystander's."""
    final = class_agreement.agreement(study).students
    own, other = (final.get(side, {}) for side in ("own", "bystander"))
    needed = f"class distances of KD T={PEAK}, normal training and both teachers (`python -m kdnb compare`)"
    return {text: _only(own, run, needed) - _only(other, run, needed) for text, run in _kd_and_normal(study).items()}


def linear_map(study: Study) -> Numbers:
    """Accuracy of teachers' classifiers behind a linear map from the student's features, KD T = 4: own, another's."""
    table, run = stitched.table(study), study.kd_at(PEAK)
    needed = f"linear maps from {run.label} to both teachers (`python -m kdnb compare`)"
    own, other = (_only(stitched.values(study, table, kind, "linear"), run, needed) for kind in ("own", "alike"))
    return {"its teacher": own, "another seed's teacher": other}


def norms_explain(students: Students) -> Numbers:
    """How far r of mu is from r of ||W_s||, and how often its sign is what ||W_s|| does; the paper's students.

    Those that every seed has which has normal training and KD at PICKED: medians of other students are other things.
    """
    needed = {run.label for run in (students.normal(), *map(students.kd_at, PICKED))}
    every = students.beside or students.every
    seeds = {run.spec.init_seed for run in every}
    table = norms.table(run for seed in seeds for run in in_front(every, seed, students.alpha) if _is_of_sweep(run))
    labels = {seed: set(part["label"]) for seed, part in table.groupby("seed")}
    if not needed <= labels.get(students.seed, set()):
        raise Missing(f"histories of {', '.join(sorted(needed))} with μ and ‖W_s‖ that have an r with the loss")
    shared = set.intersection(*(found for found in labels.values() if needed <= found))
    found = table[(table["seed"] == students.seed) & table["label"].isin(shared)]
    agree = Share(int(found["signs_agree"].sum()), len(found))
    return {"gap": float(found["gap"].median()), "sign as ‖W_s‖ says": agree}
