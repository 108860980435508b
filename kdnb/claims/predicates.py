"""The tests of the claims: thresholds, and one predicate a claim. The rules they follow: :mod:`kdnb.claims.paper`.

Each predicate takes the students of one seed and returns the claim's parts, true or false, and the numbers behind them;
it raises Missing when a run is not there. Thresholds come from the paper's wording alone and are not moved.
"""

from collections.abc import Callable, Iterable

import numpy as np

from kdnb.analysis.curves import (
    curve_gap,
    level,
    mu_window,
    r_bystander,
    r_with_loss,
    rank_correlation,
    roughness,
    same_shape,
    window,
)
from kdnb.analysis.separation import ClassDistances
from kdnb.analysis.spaces import class_distances
from kdnb.analysis.students import PEAK, Missing, Students
from kdnb.claims.judge import Numbers, Parts
from kdnb.runs import Run

# ------------------------------------------------------------------------------------------------------- thresholds
NEAR_PEAK = (3, 5)  # "around T = 4"
LEAST_TEMPERATURES = 5  # a peak among fewer is an accident of which were run
STRONG_R = 0.9  # "strong" beside the paper's 0.97: room for another data set, none for another order
STRONGLY_NEGATIVE_R = -0.5  # "strongly negative" of T = 10, where the paper gives a plot and no number
ORDERED = 0.8  # rank correlation with T (or alpha) from which on a rise is a rise: one swap in four points is forgiven
RISING = 0.5  # rank correlation with the epoch, over noisy epochs
RAPID = 0.8  # share of mu's fall done half-way through the window ("rapidly"), and as near to the end level ("settles")
SMALL = 0.2  # largest fall of mu, of its level at the warm-up's end, that is "small"
HALVED = 0.5  # T = 10 "behaves like" MSE when it is at most half as far from MSE as T = 1 is
SAME_SHAPE = 0.9  # r of two mu curves that have "the same shape"; two trends reach it easily, so it is only one part
SAME_R = 0.1  # two r are "unchanged" within this
SIMILAR_R = 0.2  # two r are "similar" within this
ACCURACY_MARGIN = 0.005  # half a point: what one seed moves accuracy by


# ------------------------------------------------------------------------------------------------ predicates
def kd_correlates(students: Students) -> tuple[Parts, Numbers]:
    run = students.kd_at(PEAK)
    r = r_with_loss(run)
    return {"r is positive": r > 0, "r is strong": r >= STRONG_R}, {"r": r, "r_bystander": r_bystander(run)}


def normal_anticorrelates(students: Students) -> tuple[Parts, Numbers]:
    run = students.normal()
    r = r_with_loss(run)
    return {"r is negative": r < 0, "r is strong": r <= -STRONG_R}, {"r": r, "r_bystander": r_bystander(run)}


def falls_and_settles(students: Students) -> tuple[Parts, Numbers]:
    run = students.kd_at(PEAK)
    start, middle, end = (level(run, "mu_raw", share) for share in (1 / 2, 3 / 4, 1))
    fall = (start - end) / start
    early = (start - middle) / (start - end) if start != end else np.nan
    rapid = fall > 0 and RAPID <= early <= 2 - RAPID
    parts = {"μ falls": fall > 0, "rapidly, then settles": rapid, "little": abs(fall) <= SMALL}
    return parts, {"fall": fall, "early": early}


def peaks_near_four(students: Students) -> tuple[Parts, Numbers]:
    r = _over_temperatures(students, r_with_loss)
    peak = max(r, key=r.__getitem__)
    before, after = ([t for t in r if t <= peak], [t for t in r if t >= peak])
    parts = {
        "peak near T=4": _near_peak(peak),
        "rises before": rank_correlation(before, [r[t] for t in before]) >= ORDERED,
        "falls after": rank_correlation(after, [r[t] for t in after]) <= -ORDERED,
        "strongly negative at T=10": r[10] <= STRONGLY_NEGATIVE_R,
    }
    return parts, {"peak": peak, "r_first": r[1], "r_peak": r[peak], "r_last": r[10]}


def nears_mse(students: Students) -> tuple[Parts, Numbers]:
    mse, low, high = students.mse(), students.kd_at(1), students.kd_at(10)
    r_low, r_high = (abs(r_with_loss(run) - r_with_loss(mse)) for run in (low, high))
    mu_low, mu_high = (curve_gap(run, mse) for run in (low, high))
    parts = {
        "r at T=10 is like MSE's": r_high <= HALVED * r_low,
        "μ at T=10 is like MSE's": mu_high <= HALVED * mu_low,
    }
    return parts, {"r_low": r_low, "r_high": r_high, "mu_low": mu_low, "mu_high": mu_high}


def separates_classes(students: Students) -> tuple[Parts, Numbers]:
    normal, *shown = (at_matched_accuracy(students, label) for label in ("normal", "KD T=1", "KD T=4", "KD T=10"))
    found = {t: class_distances(run, "matched") for t, run in students.papers_kd.items()}
    by_t = {t: distances for t, distances in found.items() if distances is not None}
    _enough_temperatures(by_t)
    rise = rank_correlation(by_t, [s.class_similarity for s in by_t.values()])
    # Lengths of features differ between networks: distances are compared in units of the mean length.
    farthest = max(by_t, key=lambda t: by_t[t].between / by_t[t].norm)
    within = {t: by_t[t].within / by_t[t].norm for t in (PEAK, 10)}
    gain = float(np.mean([s.ratio for s in shown])) / normal.ratio - 1
    parts = {
        "KD separates classes better": all(s.ratio > normal.ratio for s in shown),
        "inter-class similarity rises with T": rise >= ORDERED,
        "classes farthest apart near T=4": _near_peak(farthest),
        "less spread within classes at T=10": within[10] < within[PEAK],
    }
    change = within[10] / within[PEAK] - 1
    return parts, {"gain": gain, "similarity": rise, "farthest": farthest, "within_change": change}


def at_matched_accuracy(students: Students, label: str) -> ClassDistances:
    """Where the classes lie for one student; Missing when it never got that far."""
    run = students.get(label)
    found = class_distances(run, "matched") if run else None
    if found is None:
        raise Missing(f"{label} at matched accuracy")
    return found


def features_approach(students: Students) -> tuple[Parts, Numbers]:
    run = students.normal()
    start = 1 / 48  # the first 5 epochs of 240
    rise, centred = (level(run, c, 1) - level(run, c, start) for c in ("feature_cosine", "feature_cosine_centred"))
    shuffled = level(run, "feature_cosine_shuffled", 1) - level(run, "feature_cosine_shuffled", start)
    trend = rank_correlation(run.history["epoch"], run.history["feature_cosine"])
    parts = {"ends higher than it began": rise > 0, "rises throughout": trend >= RISING}
    return parts, {"rise": rise, "rise_shuffled": shuffled, "rise_centred": centred, "trend": trend}


def dist_is_alike(students: Students) -> tuple[Parts, Numbers]:
    dist, kd = students.dist(), students.kd_at(PEAK)
    shape, to_normal = same_shape(dist, kd), same_shape(dist, students.normal())
    start, end = level(dist, "mu_raw", 1 / 2), level(dist, "mu_raw", 1)
    fall = (start - end) / start
    kd_fall = level(kd, "mu_raw", 1 / 2) - level(kd, "mu_raw", 1)
    parts = {"same shape as KD": shape >= SAME_SHAPE, "moves the same way": (fall > 0) == (kd_fall > 0)}
    return parts, {"shape": shape, "shape_normal": to_normal, "fall": fall}


def alpha_lowers_mu_alone(students: Students) -> tuple[Parts, Numbers]:
    by_alpha = students.by_alpha(PEAK)
    if len(by_alpha) < 3:
        raise Missing(f"KD at T={PEAK} with at least 3 values of alpha above 0 (there: {_listed(by_alpha)})")
    order = rank_correlation(by_alpha, [level(run, "mu_raw", 1) for run in by_alpha.values()])
    runs = list(by_alpha.values())
    shape = min(same_shape(a, b) for i, a in enumerate(runs) for b in runs[i + 1 :])
    spread = float(np.ptp([r_with_loss(run) for run in runs]))
    stays = {"shape stays": shape >= SAME_SHAPE, "r stays": spread <= SAME_R}
    return {"μ falls as α grows": order <= -ORDERED, **stays}, {"order": order, "shape": shape, "spread": spread}


def cosine_is_rougher(students: Students) -> tuple[Parts, Numbers]:
    run = students.kd_at(PEAK)
    distance = 1 - window(run)["classifier_cosine"].to_numpy(float)
    r, r_cosine = r_with_loss(run), r_with_loss(run, distance)
    rough, rough_cosine = roughness(run, mu_window(run)), roughness(run, distance)
    alike = r * r_cosine > 0 and abs(r - r_cosine) <= SIMILAR_R
    numbers = {"r": r, "r_cosine": r_cosine, "rough": rough, "rough_cosine": rough_cosine}
    return {"similar r": alike, "fluctuates more": rough_cosine > rough}, numbers


def four_is_best(students: Students) -> tuple[Parts, Numbers]:
    accuracy = _over_temperatures(students, lambda run: run.last("test_accuracy"))
    best = max(accuracy, key=accuracy.__getitem__)
    lead = accuracy[PEAK] - max(value for t, value in accuracy.items() if t != PEAK)
    parts = {"T=4 is within half a point of the best": lead >= -ACCURACY_MARGIN, "T=4 is the best": lead > 0}
    return parts, {"best": best, "accuracy": 100 * accuracy[PEAK], "lead": 100 * lead}


def _over_temperatures(students: Students, reading: Callable[[Run], float]) -> dict[float, float]:
    runs = students.papers_kd
    _enough_temperatures(runs)
    return {t: reading(run) for t, run in runs.items()}


def _enough_temperatures(found: Iterable[float]) -> None:
    there = list(found)
    if len(there) < LEAST_TEMPERATURES or not {1, PEAK, 10} <= set(there):
        raise Missing(f"KD at T=1, {PEAK}, 10 and at least {LEAST_TEMPERATURES} temperatures (there: {_listed(there)})")


def _near_peak(temperature: float) -> bool:
    return NEAR_PEAK[0] <= temperature <= NEAR_PEAK[1]


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "none"
