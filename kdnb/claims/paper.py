"""The paper's claims, nine of its own and two it borrows, with verdicts; thresholds: :mod:`kdnb.claims.thresholds`.

Thresholds come from the paper's wording alone and are not moved. For the record: a first sweep on digits ended two
minutes before they were committed; they were chosen without looking at it. A measure was corrected later: C4's ranks
need three temperatures, since a peak and one T beside it are in order by arithmetic. The rules, in full:

* A claim is judged as the paper measures it: raw mu, the training loss L, epochs after the warm-up (121-240 of 240, the
  same share of shorter runs), last-epoch test accuracy, features at matched accuracy.
* Every claim is cut into parts that are true or false of one seed's runs. A seed bears the claim out when all parts
  hold, and does so partly when at least half of them hold.
* The run (seed) is the unit of evidence: a claim is *found here too* when every seed bears it out, *not found here*
  when no seed does even partly, *partly* otherwise. Runs that a claim needs and that are missing make it not testable.
* Only runs of the paper's own networks, data and schedule could reproduce the paper. The words say no more than what a
  study finds, and :func:`kdnb.figures.claims.experiments` how it differs from the paper's.
* Numbers are means over the seeds, for correlations on Fisher's scale; n is how many seeds. An interval is Student's
  over seeds, on the same scale; verdicts use neither.

A verdict says that a measurement comes out as in the paper. Whether it means what the paper takes it to mean is a
second judgement, of :mod:`kdnb.claims.controls`: does the claim stand against its controls, over all seeds? Neither
moves the other. A claim can be found and stand against no control, which is what a shared schedule does. One that is
not found has its checks as well: they say what of it is there.

What the text may quote of a study (digits, digits_no_decay, cifar100_small, ...) is glued by the claims page under
``<study>_<key>``; the keys are those of both modules' ``quotable``.
"""

from collections.abc import Iterable, Sequence

from kdnb.analysis.students import PEAK, Students, of_each_seed
from kdnb.claims import paper_numbers as numbers
from kdnb.claims.judge import MARKS, Claim, Measure, Verdict, verdict
from kdnb.claims.thresholds import (
    ACCURACY_MARGIN,
    HALVED,
    NEAR_PEAK,
    ORDERED,
    RAPID,
    RISING,
    SAME_R,
    SAME_SHAPE,
    SIMILAR_R,
    SMALL,
    STRONG_R,
    STRONGLY_NEGATIVE_R,
)
from kdnb.runs import Run

R, SHARE, CHANGE, T = "{:z.3f}", "{:.1%}", "{:+z.1%}", "{:.3g}"  # how numbers are written; z: no negative zero
NEAR = "{} to {}".format(*NEAR_PEAK)

CLAIMS: tuple[Claim[Students], ...] = (
    Claim(
        "C1",
        "KD: μ goes with the loss",
        "Under KD, μ and the loss correlate positively after the warm-up.",
        lambda s: numbers.correlation(s.kd_at(PEAK)),
        lambda n: {"r is positive": n["r"] > 0, f"r is strong (≥ {STRONG_R})": n["r"] >= STRONG_R},
        {
            "r": Measure("r of μ and the loss, T = 4", R, "correlation"),
            "r_bystander": Measure("the same with μ to the bystander", R, "correlation"),
        },
        "r = 0.972, p < 10⁻⁷⁰; section 2",
        quoted=("r", "r_bystander"),
    ),
    Claim(
        "C2",
        "Normal training: μ goes against the loss",
        "Under normal training they correlate negatively.",
        lambda s: numbers.correlation(s.normal()),
        lambda n: {"r is negative": n["r"] < 0, f"r is strong (≤ −{STRONG_R})": n["r"] <= -STRONG_R},
        {
            "r": Measure("r of μ and the loss", R, "correlation"),
            "r_bystander": Measure("the same with μ to the bystander", R, "correlation"),
        },
        "r = −0.971; section 2",
        quoted=("r", "r_bystander"),
    ),
    Claim(
        "C3",
        "KD: μ falls early, and little",
        "Under KD, μ falls rapidly, then settles; the effect is small.",
        lambda s: numbers.falling(s.kd_at(PEAK)),
        lambda n: {
            "μ falls": n["fall"] > 0,
            f"rapidly, then settles ({RAPID:.0%} to {2 - RAPID:.0%} in the first half)": (
                n["fall"] > 0 and RAPID <= n["early"] <= 2 - RAPID
            ),
            f"little (≤ {SMALL:.0%})": abs(n["fall"]) <= SMALL,
        },
        {
            "fall": Measure("fall of μ after the warm-up, T = 4 (a rise is negative)", CHANGE),
            "early": Measure("of it in the first half of the window", "{:.0%}"),
        },
        "no number; section 2, Fig. 1, 3",
        quoted=("fall",),
    ),
    Claim(
        "C4",
        "r peaks near T = 4",
        "r rises with T, peaks near T = 4, then falls until strongly negative, like normal training.",
        numbers.peak,
        lambda n: {
            f"peak near T=4 ({NEAR})": NEAR_PEAK[0] <= n["peak"] <= NEAR_PEAK[1],
            f"rises before (rank correlation ≥ {ORDERED}, of three T or more)": n["before"] >= ORDERED,
            f"falls after (≤ −{ORDERED}, the same)": n["after"] <= -ORDERED,
            f"strongly negative at T=10 (≤ −{-STRONGLY_NEGATIVE_R})": n["r_last"] <= STRONGLY_NEGATIVE_R,
        },
        {
            "peak": Measure("T at which r is greatest", T, "choice"),
            "r_first": Measure("r at T = 1", R, "correlation"),
            "r_peak": Measure("the greatest r", R, "correlation"),
            "r_last": Measure("r at T = 10", R, "correlation"),
        },
        "no number; section 2, Fig. 6",
        quoted=("peak", "r_peak", "r_last"),
    ),
    Claim(
        "C5",
        "High T is like a squared error",
        "As T grows the KL loss behaves like MSE on logits.",
        numbers.nears_mse,
        lambda n: {
            f"r at T=10 is like MSE's (≤ {HALVED} of the difference at T=1)": n["r_high"] <= HALVED * n["r_low"],
            "μ at T=10 is like MSE's (the same)": n["mu_high"] <= HALVED * n["mu_low"],
        },
        {
            "r_high": Measure("r at T = 10 differs from MSE's by", R),
            "r_low": Measure("the same at T = 1", R),
            "mu_high": Measure("μ at T = 10 differs from MSE's by", SHARE),
            "mu_low": Measure("the same at T = 1", SHARE),
        },
        "argument only, from Kim et al. 2021; section 2",
        quoted=("r_low", "r_high", "mu_low", "mu_high"),
        borrowed=True,
    ),
    Claim(
        "C6",
        "KD's classes: farther apart, most near T = 4, tighter at T = 10",
        "At similar accuracy KD students separate classes better; inter-class similarity rises with T; classes are "
        "farthest apart near T = 4; at T = 10 intra-class dissimilarity is lower.",
        numbers.separation,
        lambda n: {
            "KD separates classes better": n["better"] == 1,
            f"inter-class similarity rises with T (rank correlation ≥ {ORDERED})": n["similarity"] >= ORDERED,
            f"classes farthest apart near T=4 ({NEAR})": NEAR_PEAK[0] <= n["farthest"] <= NEAR_PEAK[1],
            "less spread within classes at T=10": n["within_change"] < 0,
        },
        {
            "gain": Measure("between / within beside normal training, mean of T = 1, 4, 10", CHANGE),
            "similarity": Measure("rank correlation of inter-class similarity with T", "{:z.2f}", "correlation"),
            "farthest": Measure("T at which classes are farthest apart", T, "choice"),
            "within_change": Measure("spread within classes, from T = 4 to T = 10", CHANGE),
        },
        "by eye; section 2, Fig. 2, 4 (t-SNE)",
    ),
    Claim(
        "C7",
        "Normal training: features approach the teacher's",
        "Cosine similarity between a normally trained student's features and the teacher's rises during training.",
        lambda s: numbers.approach(s.normal()),
        lambda n: {
            "ends higher than it began": n["rise"] > 0,
            f"rises throughout (rank correlation ≥ {RISING})": n["trend"] >= RISING,
        },
        {
            "rise": Measure("rise of the cosine", "{:+z.3f}"),
            "rise_shuffled": Measure("the same of shuffled pairs", "{:+z.3f}"),
            "rise_centred": Measure("the same of centred features", "{:+z.3f}"),
            "trend": Measure("rank correlation of the cosine with the epoch", "{:z.2f}", "correlation"),
        },
        "no number; Fig. 5",
    ),
    Claim(
        "C8",
        "DIST gives a similar curve of μ",
        "DIST shows a similar μ curve.",
        numbers.dist,
        lambda n: {
            f"same shape as KD (r ≥ {SAME_SHAPE})": n["shape"] >= SAME_SHAPE,
            "moves the same way": (n["fall"] > 0) == (n["kd_fall"] > 0),
        },
        {
            "shape": Measure("r of its μ curve with KD's, T = 4", "{:z.2f}", "correlation"),
            "shape_normal": Measure("the same with normal training's", "{:z.2f}", "correlation"),
            "fall": Measure("fall of its μ after the warm-up (a rise is negative)", CHANGE),
        },
        "no number; Fig. 7",
    ),
    Claim(
        "C9",
        "α lowers μ and nothing else",
        "α lowers μ but changes neither the shape of μ nor the correlation.",
        numbers.alpha,
        lambda n: {
            f"μ falls as α grows (rank correlation ≤ −{ORDERED})": n["order"] <= -ORDERED,
            f"shape stays (r ≥ {SAME_SHAPE})": n["shape"] >= SAME_SHAPE,
            f"r stays (span ≤ {SAME_R})": n["spread"] <= SAME_R,
        },
        {
            "order": Measure("rank correlation of final μ with α", "{:z.2f}", "correlation"),
            "shape": Measure("r of the two μ curves that are least alike", "{:z.2f}", "correlation"),
            "spread": Measure("span of r of μ and the loss", R),
        },
        "no number; appendix A.1",
        "Final μ ranks with α at {order:.2f}; the least alike two curves have r = {shape:.2f}; r(μ, loss) spans "
        "{spread:.2f}.",
    ),
    Claim(
        "C10",
        "The classifiers' cosine: alike, but rougher",
        "Cosine similarity of the classifiers gives similar results, but fluctuates more.",
        lambda s: numbers.cosine(s.kd_at(PEAK)),
        lambda n: {
            f"similar r (same sign, ≤ {SIMILAR_R} apart)": (
                n["r"] * n["r_cosine"] > 0 and abs(n["r"] - n["r_cosine"]) <= SIMILAR_R
            ),
            "fluctuates more": n["rough_cosine"] > n["rough"],
        },
        {
            "r_cosine": Measure("r of 1 − cosine and the loss, T = 4", R, "correlation"),
            "r": Measure("r of μ and the loss, T = 4", R, "correlation"),
            "rough_cosine": Measure("an epoch moves 1 − cosine by (standard deviations)", "{:.2g}"),
            "rough": Measure("an epoch moves μ by (standard deviations)", "{:.2g}"),
        },
        "no number; appendix A.1",
        "At T = 4, r = {r_cosine:.3f} for 1 − cosine and {r:.3f} for μ; an epoch moves the one by {rough_cosine:.2g} "
        "standard deviations of its curve, the other by {rough:.2g}.",
    ),
    Claim(
        "C11",
        "T = 4 is the most accurate",
        "T = 4 has the highest accuracy.",
        numbers.best,
        lambda n: {
            f"T=4 is within {100 * ACCURACY_MARGIN:g} points of the best": n["ahead"] >= -ACCURACY_MARGIN,
            "T=4 is the best": n["ahead"] > 0,
        },
        {
            "lead": Measure("T = 4 beside the best other temperature", "{:+z.2f} points"),
            "best": Measure("the most accurate T", T, "choice"),
            "accuracy": Measure("test accuracy at T = 4", "{:.2f}%"),
        },
        "no number, quoted from other works; section 2",
        borrowed=True,
    ),
)


def judge(runs: Iterable[Run]) -> list[Verdict]:
    """Verdict on every claim from the runs of one data set and one weight decay, one or several seeds.

    Raises ValueError when the students are of several data sets or weight decays.
    """
    seeds = of_each_seed(runs)
    return [verdict(claim, seeds) for claim in CLAIMS]


def counted(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Those on what the paper found itself."""
    return [found for found in verdicts if not found.claim.borrowed]


def fared(verdicts: Iterable[Verdict]) -> list[str]:
    """How many of those fared how: "3 found here too", "4 partly"."""
    words = [found.verdict for found in counted(verdicts)]
    return [f"{words.count(word)} {word}" for word in MARKS if word in words]


def quotable(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """What a text may quote, as it is shown.

    ``verdicts`` ("3 found here too, 4 partly", borrowed claims aside); ``c1`` ... ``c11``: each verdict; ``c1_n`` ...:
    its seeds; and for the numbers that a claim names as ``quoted``, ``c1_r`` (mean over seeds) and ``c1_r_interval``
    ("0.95 to 0.98", or why there is none).
    """
    said = {"verdicts": ", ".join(fared(verdicts))}
    for claim, found in zip(CLAIMS, verdicts, strict=True):
        key = claim.id.lower()
        said |= {key: found.verdict, f"{key}_n": f"{len(found.seeds)}"}
        for name in claim.quoted:
            shown = claim.measures[name]
            values = found.values.get(name, ())
            said[f"{key}_{name}"] = shown.over_seeds(values) if values else "not tested"
            said[f"{key}_{name}_interval"] = shown.between(values)
    return said
