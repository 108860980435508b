"""The paper's eleven claims as predicates with thresholds, and the verdict on each.

Thresholds come from the paper's wording alone and are not moved. For the record: a first sweep on digits ended two
minutes before they were committed; they were chosen without looking at it. The rules, in full:

* A claim is judged as the paper measures it: raw mu, the training loss L, epochs after the warm-up (121-240 of 240, the
  same share of shorter runs), last-epoch test accuracy, features at matched accuracy. Whether that measure means what
  the paper takes it to mean is another question, asked elsewhere.
* Every claim is cut into parts that are true or false of one seed's runs. A seed reproduces the claim when all parts
  hold, and does so partly when at least ``enough`` of them hold.
* The run (seed) is the unit of evidence: a claim is reproduced when every seed reproduces it, not reproduced when no
  seed does even partly, and partly otherwise. Runs that a claim needs and that are missing make it not testable.
* Numbers are means over the seeds; n is how many seeds.
"""

from collections.abc import Callable, Iterable

import numpy as np

from kdnb.evidence import (
    Missing,
    RunLike,
    Sweep,
    curve_gap,
    level,
    mu_window,
    r_bystander,
    r_with_loss,
    rank_correlation,
    roughness,
    same_shape,
    sweeps,
    window,
)
from kdnb.verdicts import Claim, Numbers, Parts, Verdict, verdict

# ------------------------------------------------------------------------------------------------ thresholds
ALPHA = 0.9  # the paper's main sweep
PEAK = 4  # the temperature at which the paper sees its peak; the paper does not say which T its r = 0.972 is of
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
def _kd_correlates(sweep: Sweep) -> tuple[Parts, Numbers]:
    run = sweep.kd(PEAK)
    r = r_with_loss(run)
    return {"r is positive": r > 0, "r is strong": r >= STRONG_R}, {"r": r, "r_bystander": r_bystander(run)}


def _normal_anticorrelates(sweep: Sweep) -> tuple[Parts, Numbers]:
    run = sweep.normal()
    r = r_with_loss(run)
    return {"r is negative": r < 0, "r is strong": r <= -STRONG_R}, {"r": r, "r_bystander": r_bystander(run)}


def _falls_and_settles(sweep: Sweep) -> tuple[Parts, Numbers]:
    run = sweep.kd(PEAK)
    start, middle, end = (level(run, "mu_raw", share) for share in (1 / 2, 3 / 4, 1))
    fall = (start - end) / start
    early = (start - middle) / (start - end) if start != end else np.nan
    rapid = fall > 0 and RAPID <= early <= 2 - RAPID
    parts = {"mu falls": fall > 0, "rapidly, then settles": rapid, "little": abs(fall) <= SMALL}
    return parts, {"fall": fall, "early": early}


def _peaks_near_four(sweep: Sweep) -> tuple[Parts, Numbers]:
    r = _over_temperatures(sweep, r_with_loss)
    peak = max(r, key=r.__getitem__)
    before, after = ([t for t in r if t <= peak], [t for t in r if t >= peak])
    parts = {
        "peak near T=4": _near_peak(peak),
        "rises before": rank_correlation(before, [r[t] for t in before]) >= ORDERED,
        "falls after": rank_correlation(after, [r[t] for t in after]) <= -ORDERED,
        "strongly negative at T=10": r[10] <= STRONGLY_NEGATIVE_R,
    }
    return parts, {"peak": peak, "r_first": r[1], "r_peak": r[peak], "r_last": r[10]}


def _nears_mse(sweep: Sweep) -> tuple[Parts, Numbers]:
    mse, low, high = sweep.mse(), sweep.kd(1), sweep.kd(10)
    r_low, r_high = (abs(r_with_loss(run) - r_with_loss(mse)) for run in (low, high))
    mu_low, mu_high = (curve_gap(run, mse) for run in (low, high))
    parts = {
        "r at T=10 is like MSE's": r_high <= HALVED * r_low,
        "mu at T=10 is like MSE's": mu_high <= HALVED * mu_low,
    }
    return parts, {"r_low": r_low, "r_high": r_high, "mu_low": mu_low, "mu_high": mu_high}


def _separates_classes(sweep: Sweep) -> tuple[Parts, Numbers]:
    normal, *shown = (sweep.separation_of(label) for label in ("normal", "KD T=1", "KD T=4", "KD T=10"))
    labels = {t: run.spec.label for t, run in sweep.by_temperature().items()}
    by_t = {t: sweep.separation[label] for t, label in labels.items() if label in sweep.separation}
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


def _features_approach(sweep: Sweep) -> tuple[Parts, Numbers]:
    run = sweep.normal()
    start = 1 / 48  # the first 5 epochs of 240
    rise, centred = (level(run, c, 1) - level(run, c, start) for c in ("feature_cosine", "feature_cosine_centred"))
    shuffled = level(run, "feature_cosine_shuffled", 1) - level(run, "feature_cosine_shuffled", start)
    trend = rank_correlation(run.history["epoch"], run.history["feature_cosine"])
    parts = {"ends higher than it began": rise > 0, "rises throughout": trend >= RISING}
    return parts, {"rise": rise, "rise_shuffled": shuffled, "rise_centred": centred, "trend": trend}


def _dist_is_alike(sweep: Sweep) -> tuple[Parts, Numbers]:
    dist, kd = sweep.dist(), sweep.kd(PEAK)
    shape, to_normal = same_shape(dist, kd), same_shape(dist, sweep.normal())
    start, end = level(dist, "mu_raw", 1 / 2), level(dist, "mu_raw", 1)
    fall = (start - end) / start
    kd_fall = level(kd, "mu_raw", 1 / 2) - level(kd, "mu_raw", 1)
    parts = {"same shape as KD": shape >= SAME_SHAPE, "moves the same way": (fall > 0) == (kd_fall > 0)}
    return parts, {"shape": shape, "shape_normal": to_normal, "fall": fall}


def _alpha_lowers_mu_alone(sweep: Sweep) -> tuple[Parts, Numbers]:
    by_alpha = sweep.by_alpha(PEAK)
    if len(by_alpha) < 3:
        raise Missing(f"KD at T={PEAK} with at least 3 values of alpha above 0 (there: {_listed(by_alpha)})")
    order = rank_correlation(by_alpha, [level(run, "mu_raw", 1) for run in by_alpha.values()])
    runs = list(by_alpha.values())
    shape = min(same_shape(a, b) for i, a in enumerate(runs) for b in runs[i + 1 :])
    spread = float(np.ptp([r_with_loss(run) for run in runs]))
    stays = {"shape stays": shape >= SAME_SHAPE, "r stays": spread <= SAME_R}
    return {"mu falls as alpha grows": order <= -ORDERED, **stays}, {"order": order, "shape": shape, "spread": spread}


def _cosine_is_rougher(sweep: Sweep) -> tuple[Parts, Numbers]:
    run = sweep.kd(PEAK)
    distance = 1 - window(run)["classifier_cosine"].to_numpy(float)
    r, r_cosine = r_with_loss(run), r_with_loss(run, distance)
    rough, rough_cosine = roughness(run, mu_window(run)), roughness(run, distance)
    alike = r * r_cosine > 0 and abs(r - r_cosine) <= SIMILAR_R
    numbers = {"r": r, "r_cosine": r_cosine, "rough": rough, "rough_cosine": rough_cosine}
    return {"similar r": alike, "fluctuates more": rough_cosine > rough}, numbers


def _four_is_best(sweep: Sweep) -> tuple[Parts, Numbers]:
    accuracy = _over_temperatures(sweep, lambda run: float(run.history["test_accuracy"].iloc[-1]))
    best = max(accuracy, key=accuracy.__getitem__)
    lead = accuracy[PEAK] - max(value for t, value in accuracy.items() if t != PEAK)
    parts = {"T=4 is within half a point of the best": lead >= -ACCURACY_MARGIN, "T=4 is the best": lead > 0}
    return parts, {"best": best, "accuracy": 100 * accuracy[PEAK], "lead": 100 * lead}


def _over_temperatures(sweep: Sweep, reading: Callable[[RunLike], float]) -> dict[float, float]:
    runs = sweep.by_temperature()
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


# ----------------------------------------------------------------------------------------------------- table
CLAIMS: tuple[Claim, ...] = (
    Claim(
        "C1",
        "Under KD, mu and the loss correlate positively after the warm-up.",
        "r = 0.972, p < 1e-70",
        _kd_correlates,
        1,
        "r = {r:.3f} at T = 4; {r_bystander:.3f} with mu to a teacher the student never saw.",
    ),
    Claim(
        "C2",
        "Under normal training they correlate negatively.",
        "r = -0.971",
        _normal_anticorrelates,
        1,
        "r = {r:.3f}; {r_bystander:.3f} with mu to a teacher the student never saw.",
    ),
    Claim(
        "C3",
        "Under KD, mu falls rapidly, then settles; the effect is small.",
        "Fig. 1, 3",
        _falls_and_settles,
        2,
        "At T = 4 mu changes by {fall:.1%} of its level at the warm-up's end (a fall is positive), "
        "{early:.0%} of it in the first half of the window.",
    ),
    Claim(
        "C4",
        "r rises with T, peaks near T = 4, then falls until strongly negative, like normal training.",
        "Fig. 6",
        _peaks_near_four,
        2,
        "r is {r_first:.2f} at T = 1, greatest ({r_peak:.2f}) at T = {peak:.3g}, and {r_last:.2f} at T = 10.",
    ),
    Claim(
        "C5",
        "As T grows the KL loss behaves like MSE on logits.",
        "argument only",
        _nears_mse,
        1,
        "From MSE, r differs by {r_low:.2f} at T = 1 and {r_high:.2f} at T = 10; mu by {mu_low:.1%} and {mu_high:.1%}.",
    ),
    Claim(
        "C6",
        "At similar accuracy KD students separate classes better; inter-class similarity rises with T; classes are "
        "farthest apart near T = 4; at T = 10 intra-class dissimilarity is lower.",
        "Fig. 2, 4 (t-SNE)",
        _separates_classes,
        2,
        "Between/within distance is {gain:+.1%} beside normal training; inter-class similarity ranks with T at "
        "{similarity:.2f}; classes are farthest apart at T = {farthest:.3g}; the spread within classes changes by "
        "{within_change:+.1%} from T = 4 to T = 10.",
    ),
    Claim(
        "C7",
        "Cosine similarity between a normally trained student's features and the teacher's rises during training.",
        "Fig. 5",
        _features_approach,
        1,
        "It rises by {rise:+.3f} (shuffled pairs {rise_shuffled:+.3f}; centred {rise_centred:+.3f}); "
        "its rank correlation with the epoch is {trend:.2f}.",
    ),
    Claim(
        "C8",
        "DIST shows a similar mu curve.",
        "Fig. 7",
        _dist_is_alike,
        1,
        "r of its mu curve with KD's at T = 4 is {shape:.2f} (with normal training's {shape_normal:.2f}); "
        "it changes by {fall:.1%} after the warm-up (a fall is positive).",
    ),
    Claim(
        "C9",
        "alpha lowers mu but changes neither the shape of mu nor the correlation.",
        "appendix A.1, no number",
        _alpha_lowers_mu_alone,
        2,
        "Final mu ranks with alpha at {order:.2f}; the least alike two curves have r = {shape:.2f}; r(mu, loss) spans "
        "{spread:.2f}.",
    ),
    Claim(
        "C10",
        "Cosine similarity of the classifiers gives similar results, but fluctuates more.",
        "appendix A.1, no number",
        _cosine_is_rougher,
        1,
        "At T = 4, r = {r_cosine:.3f} for 1 - cosine and {r:.3f} for mu; an epoch moves the one by {rough_cosine:.2g} "
        "standard deviations of its curve, the other by {rough:.2g}.",
    ),
    Claim(
        "C11",
        "T = 4 has the highest accuracy.",
        "no figure of its own",
        _four_is_best,
        1,
        "Best at T = {best:.3g}; T = 4 reaches {accuracy:.2f} %, {lead:+.2f} points beside the best other temperature.",
    ),
)


def judge(runs: Iterable[RunLike]) -> list[Verdict]:
    """Verdict on every claim from the runs of one data set and one weight decay, one or several seeds.

    Raises ValueError when the students are of several data sets or weight decays.
    """
    by_seed = sweeps(runs, ALPHA)
    return [verdict(claim, by_seed) for claim in CLAIMS]
