"""The numbers that the paper's claims are tested on (:mod:`kdnb.claims.paper`).

Of the students of one seed, by name; Missing, saying what is, when a run is not there. Those that a claim has no
measure for are not shown: its parts alone need them.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import numpy as np

from kdnb.analysis.curves import (
    column,
    curve_gap,
    fall,
    level,
    mu_window,
    r_bystander,
    r_with_loss,
    roughness,
    same_shape,
    window,
)
from kdnb.analysis.separation import ClassDistances
from kdnb.analysis.spaces import class_distances
from kdnb.analysis.stats import rank_correlation
from kdnb.analysis.students import HOTTEST, PEAK, Missing, Students
from kdnb.claims.judge import Numbers
from kdnb.claims.thresholds import LEAST_TEMPERATURES
from kdnb.runs import Run


def correlation(run: Run) -> Numbers:
    """r of mu and the loss, to the teacher and to the bystander."""
    return {"r": r_with_loss(run), "r_bystander": r_bystander(run)}


def r_by_temperature(seeds: Iterable[Students]) -> dict[float, list[float]]:
    """r of mu and the loss at each of the paper's temperatures, a value for each seed that has one."""
    found: dict[float, list[float]] = {}
    for students in seeds:
        for temperature, run in students.papers_kd.items():
            with suppress(Missing):
                r = r_with_loss(run)  # before the list: a temperature without any r has none
                found.setdefault(temperature, []).append(r)
    return dict(sorted(found.items()))


def falling(run: Run) -> Numbers:
    """By how much mu falls after the warm-up, of its level there, and how much of that in the first half."""
    start, middle, end = (level(run, "mu_raw", share) for share in (1 / 2, 3 / 4, 1))
    return {"fall": fall(run), "early": (start - middle) / (start - end) if start != end else np.nan}


def peak(students: Students) -> Numbers:
    """Where r is greatest over the temperatures, and how it ranks with T before and after."""
    return peak_of(_over_temperatures(students, r_with_loss))


def peak_of(r: Mapping[float, float]) -> Numbers:
    """The same of an r by temperature; from the peak to a single other T it falls by arithmetic, and has no rank."""
    top = max(r, key=r.__getitem__)
    before, after = ([t for t in r if t <= top], [t for t in r if t >= top])
    ranks = {name: rank_correlation(ts, [r[t] for t in ts]) for name, ts in (("before", before), ("after", after))}
    return {"peak": top, "r_first": r[1], "r_peak": r[top], "r_last": r[HOTTEST], **ranks}


def nears_mse(students: Students) -> Numbers:
    """How far r and mu are from MSE's, at a low and at a high temperature."""
    mse, low, high = students.mse(), students.kd_at(1), students.kd_at(HOTTEST)
    r_low, r_high = (abs(r_with_loss(run) - r_with_loss(mse)) for run in (low, high))
    return {"r_low": r_low, "r_high": r_high, "mu_low": curve_gap(low, mse), "mu_high": curve_gap(high, mse)}


def separation(students: Students) -> Numbers:
    """How the classes lie at matched accuracy, over the temperatures; ``better``: the share that beats normal training.

    Lengths of features differ between networks: distances are compared in units of the mean length.
    """
    normal, *shown = map(at_matched_accuracy, (students.normal(), *map(students.kd_at, (1, PEAK, HOTTEST))))
    found = {t: class_distances(run, "matched") for t, run in students.papers_kd.items()}
    by_t = {t: distances for t, distances in found.items() if distances is not None}
    _enough_temperatures(by_t)
    within = {t: by_t[t].within / by_t[t].norm for t in (PEAK, HOTTEST)}
    return {
        "better": float(np.mean([s.ratio > normal.ratio for s in shown])),
        "gain": float(np.mean([s.ratio for s in shown])) / normal.ratio - 1,
        "similarity": rank_correlation(by_t, [s.class_similarity for s in by_t.values()]),
        "farthest": max(by_t, key=lambda t: by_t[t].between / by_t[t].norm),
        "within_change": within[HOTTEST] / within[PEAK] - 1,
    }


def at_matched_accuracy(run: Run) -> ClassDistances:
    """Where the classes lie for one student; Missing when it never got that far."""
    found = class_distances(run, "matched")
    if found is None:
        raise Missing(f"{run.label} at matched accuracy")
    return found


def approach(run: Run) -> Numbers:
    """How the cosine of features with the teacher's rises from the first 5 epochs (of 240) to the last."""
    columns = {"rise": "", "rise_shuffled": "_shuffled", "rise_centred": "_centred"}
    rises = {
        name: level(run, f"feature_cosine{column}", 1) - level(run, f"feature_cosine{column}", 1 / 48)
        for name, column in columns.items()
    }
    return rises | {"trend": rank_correlation(run.history["epoch"], run.history["feature_cosine"])}


def dist(students: Students) -> Numbers:
    """How like KD's is DIST's curve of mu."""
    run, kd = students.dist(), students.kd_at(PEAK)
    shapes = {"shape": same_shape(run, kd), "shape_normal": same_shape(run, students.normal())}
    return shapes | {"fall": fall(run), "kd_fall": fall(kd)}


def alpha(students: Students) -> Numbers:
    """What alpha does to the final mu, to the shape of its curve and to r."""
    by_alpha = students.by_alpha(PEAK)
    if len(by_alpha) < 3:
        raise Missing(f"KD at T={PEAK} with at least 3 values of alpha above 0 (there: {_listed(by_alpha)})")
    runs = list(by_alpha.values())
    return {
        "order": rank_correlation(by_alpha, [level(run, "mu_raw", 1) for run in runs]),
        "shape": min(same_shape(a, b) for i, a in enumerate(runs) for b in runs[i + 1 :]),
        "spread": float(np.ptp([r_with_loss(run) for run in runs])),
    }


def cosine(run: Run) -> Numbers:
    """r and roughness of mu, and of 1 - cosine of the classifiers."""
    distance = 1 - column(window(run), "classifier_cosine")
    r = {"r": r_with_loss(run), "r_cosine": -r_with_loss(run, "classifier_cosine")}
    return r | {"rough": roughness(run, mu_window(run)), "rough_cosine": roughness(run, distance)}


def best(students: Students) -> Numbers:
    """Which temperature is the most accurate, and by how much T = 4 leads the best other one: a share, and points."""
    return best_of(_over_temperatures(students, lambda run: run.last("test_accuracy")))


def best_of(accuracy: Mapping[float, float]) -> Numbers:
    """The same of a test accuracy by temperature."""
    ahead = accuracy[PEAK] - max(value for t, value in accuracy.items() if t != PEAK)
    top = max(accuracy, key=accuracy.__getitem__)
    return {"best": top, "accuracy": 100 * accuracy[PEAK], "lead": 100 * ahead, "ahead": ahead}


def _over_temperatures(students: Students, reading: Callable[[Run], float]) -> dict[float, float]:
    _enough_temperatures(students.papers_kd)
    return {t: reading(run) for t, run in students.papers_kd.items()}


def _enough_temperatures(found: Iterable[float]) -> None:
    there = list(found)
    if len(there) < LEAST_TEMPERATURES or not {1, PEAK, HOTTEST} <= set(there):
        needed = f"KD at T=1, {PEAK}, {HOTTEST} and at least {LEAST_TEMPERATURES} temperatures"
        raise Missing(f"{needed} (there: {_listed(there)})")


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "none"
