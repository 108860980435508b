"""The paper's eleven claims, and the verdict on each. The tests and their thresholds: :mod:`kdnb.claims.predicates`.

Thresholds come from the paper's wording alone and are not moved. For the record: a first sweep on digits ended two
minutes before they were committed; they were chosen without looking at it. The rules, in full:

* A claim is judged as the paper measures it: raw mu, the training loss L, epochs after the warm-up (121-240 of 240, the
  same share of shorter runs), last-epoch test accuracy, features at matched accuracy.
* Every claim is cut into parts that are true or false of one seed's runs. A seed reproduces the claim when all parts
  hold, and does so partly when at least ``enough`` of them hold.
* The run (seed) is the unit of evidence: a claim is reproduced when every seed reproduces it, not reproduced when no
  seed does even partly, and partly otherwise. Runs that a claim needs and that are missing make it not testable.
* Numbers are means over the seeds; n is how many seeds. An interval is Student's over seeds, for correlations on
  Fisher's scale; verdicts do not use it.

A verdict says that a measurement comes out as in the paper. Whether it means what the paper takes it to mean is a
second judgement, of :mod:`kdnb.claims.controls`: does the claim stand against its controls, over all seeds? Neither
moves the other. A claim can be reproduced and stand against no control, which is what a shared schedule does. One that
is not reproduced has its checks as well: they say what of it is there.

What the text may quote of a study (digits, digits_no_decay, cifar100_small, ...) is glued by the claims page under
``<study>_<key>``; the keys are those of both modules' ``quotable``.
"""

from collections.abc import Iterable, Sequence

from kdnb.analysis.students import of_each_seed
from kdnb.claims import predicates
from kdnb.claims.judge import Claim, Measure, Verdict, Word, verdict
from kdnb.runs import Run

WORDS: tuple[Word, ...] = ("reproduced", "partly", "not reproduced", "not testable")
R, SHARE, CHANGE, T = "{:z.3f}", "{:.1%}", "{:+z.1%}", "{:.3g}"  # how numbers are written; z: no negative zero

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "C1",
        "KD: μ goes with the loss",
        "Under KD, μ and the loss correlate positively after the warm-up.",
        "r = 0.972, p < 10⁻⁷⁰; section 2",
        predicates.kd_correlates,
        1,
        "r = {r:.3f} at T = 4; {r_bystander:.3f} with μ to a teacher the student never saw.",
        {
            "r": Measure("r of μ and the loss, T = 4", R, "correlation"),
            "r_bystander": Measure("the same with μ to the bystander", R, "correlation"),
        },
        "04_correlation",
        "r-by-temperature",
        ("r", "r_bystander"),
    ),
    Claim(
        "C2",
        "Normal training: μ goes against the loss",
        "Under normal training they correlate negatively.",
        "r = −0.971; section 2",
        predicates.normal_anticorrelates,
        1,
        "r = {r:.3f}; {r_bystander:.3f} with μ to a teacher the student never saw.",
        {
            "r": Measure("r of μ and the loss", R, "correlation"),
            "r_bystander": Measure("the same with μ to the bystander", R, "correlation"),
        },
        "04_correlation",
        "r-by-temperature",
        ("r", "r_bystander"),
    ),
    Claim(
        "C3",
        "KD: μ falls early, and little",
        "Under KD, μ falls rapidly, then settles; the effect is small.",
        "no number; section 2, Fig. 1, 3",
        predicates.falls_and_settles,
        2,
        "At T = 4 μ changes by {fall:.1%} of its level at the warm-up's end (a fall is positive), "
        "{early:.0%} of it in the first half of the window.",
        {
            "fall": Measure("fall of μ after the warm-up, T = 4 (a rise is negative)", CHANGE),
            "early": Measure("of it in the first half of the window", "{:.0%}"),
        },
        "03_mu_curves",
        "mu-curves",
        ("fall",),
    ),
    Claim(
        "C4",
        "r peaks near T = 4",
        "r rises with T, peaks near T = 4, then falls until strongly negative, like normal training.",
        "no number; section 2, Fig. 6",
        predicates.peaks_near_four,
        2,
        "r is {r_first:.2f} at T = 1, greatest ({r_peak:.2f}) at T = {peak:.3g}, and {r_last:.2f} at T = 10.",
        {
            "peak": Measure("T at which r is greatest", T, "choice"),
            "r_first": Measure("r at T = 1", R, "correlation"),
            "r_peak": Measure("the greatest r", R, "correlation"),
            "r_last": Measure("r at T = 10", R, "correlation"),
        },
        "04_correlation",
        "r-by-temperature",
        ("peak", "r_peak", "r_last"),
    ),
    Claim(
        "C5",
        "High T is like a squared error",
        "As T grows the KL loss behaves like MSE on logits.",
        "argument only; section 2",
        predicates.nears_mse,
        1,
        "From MSE, r differs by {r_low:.2f} at T = 1 and {r_high:.2f} at T = 10; μ by {mu_low:.1%} and {mu_high:.1%}.",
        {
            "r_high": Measure("r at T = 10 differs from MSE's by", R),
            "r_low": Measure("the same at T = 1", R),
            "mu_high": Measure("μ at T = 10 differs from MSE's by", SHARE),
            "mu_low": Measure("the same at T = 1", SHARE),
        },
        "03_mu_curves",
        "mu-methods",
        ("r_low", "r_high", "mu_low", "mu_high"),
    ),
    Claim(
        "C6",
        "KD separates the classes better",
        "At similar accuracy KD students separate classes better; inter-class similarity rises with T; classes are "
        "farthest apart near T = 4; at T = 10 intra-class dissimilarity is lower.",
        "by eye; section 2, Fig. 2, 4 (t-SNE)",
        predicates.separates_classes,
        2,
        "Between/within distance is {gain:+.1%} beside normal training; inter-class similarity ranks with T at "
        "{similarity:.2f}; classes are farthest apart at T = {farthest:.3g}; the spread within classes changes by "
        "{within_change:+.1%} from T = 4 to T = 10.",
        {
            "gain": Measure("between / within beside normal training, mean of T = 1, 4, 10", CHANGE),
            "similarity": Measure("rank correlation of inter-class similarity with T", "{:z.2f}", "correlation"),
            "farthest": Measure("T at which classes are farthest apart", T, "choice"),
            "within_change": Measure("spread within classes, from T = 4 to T = 10", CHANGE),
        },
        "05_tsne",
        "feature-measures",
    ),
    Claim(
        "C7",
        "Normal training: features approach the teacher's",
        "Cosine similarity between a normally trained student's features and the teacher's rises during training.",
        "no number; Fig. 5",
        predicates.features_approach,
        1,
        "It rises by {rise:+.3f} (shuffled pairs {rise_shuffled:+.3f}; centred {rise_centred:+.3f}); "
        "its rank correlation with the epoch is {trend:.2f}.",
        {
            "rise": Measure("rise of the cosine", "{:+z.3f}"),
            "rise_shuffled": Measure("the same of shuffled pairs", "{:+z.3f}"),
            "rise_centred": Measure("the same of centred features", "{:+z.3f}"),
            "trend": Measure("rank correlation of the cosine with the epoch", "{:z.2f}", "correlation"),
        },
        "05_tsne",
        "feature-cosine",
    ),
    Claim(
        "C8",
        "DIST gives a similar curve of μ",
        "DIST shows a similar μ curve.",
        "no number; Fig. 7",
        predicates.dist_is_alike,
        1,
        "r of its μ curve with KD's at T = 4 is {shape:.2f} (with normal training's {shape_normal:.2f}); "
        "it changes by {fall:.1%} after the warm-up (a fall is positive).",
        {
            "shape": Measure("r of its μ curve with KD's, T = 4", "{:z.2f}", "correlation"),
            "shape_normal": Measure("the same with normal training's", "{:z.2f}", "correlation"),
            "fall": Measure("fall of its μ after the warm-up (a rise is negative)", CHANGE),
        },
        "03_mu_curves",
        "mu-methods",
    ),
    Claim(
        "C9",
        "α lowers μ and nothing else",
        "α lowers μ but changes neither the shape of μ nor the correlation.",
        "no number; appendix A.1",
        predicates.alpha_lowers_mu_alone,
        2,
        "Final μ ranks with α at {order:.2f}; the least alike two curves have r = {shape:.2f}; r(μ, loss) spans "
        "{spread:.2f}.",
        {
            "order": Measure("rank correlation of final μ with α", "{:z.2f}", "correlation"),
            "shape": Measure("r of the two μ curves that are least alike", "{:z.2f}", "correlation"),
            "spread": Measure("span of r of μ and the loss", R),
        },
        "03_mu_curves",
        "mu-curves",
    ),
    Claim(
        "C10",
        "The classifiers' cosine: alike, but rougher",
        "Cosine similarity of the classifiers gives similar results, but fluctuates more.",
        "no number; appendix A.1",
        predicates.cosine_is_rougher,
        1,
        "At T = 4, r = {r_cosine:.3f} for 1 − cosine and {r:.3f} for μ; an epoch moves the one by {rough_cosine:.2g} "
        "standard deviations of its curve, the other by {rough:.2g}.",
        {
            "r_cosine": Measure("r of 1 − cosine and the loss, T = 4", R, "correlation"),
            "r": Measure("r of μ and the loss, T = 4", R, "correlation"),
            "rough_cosine": Measure("an epoch moves 1 − cosine by (standard deviations)", "{:.2g}"),
            "rough": Measure("an epoch moves μ by (standard deviations)", "{:.2g}"),
        },
        "03_mu_curves",
        "mu-curves",
    ),
    Claim(
        "C11",
        "T = 4 is the most accurate",
        "T = 4 has the highest accuracy.",
        "no number, quoted from other works; section 2",
        predicates.four_is_best,
        1,
        "Best at T = {best:.3g}; T = 4 reaches {accuracy:.2f} %, {lead:+.2f} points beside the best other temperature.",
        {
            "lead": Measure("T = 4 beside the best other temperature", "{:+z.2f} points"),
            "best": Measure("the most accurate T", T, "choice"),
            "accuracy": Measure("test accuracy at T = 4", "{:.2f} %"),
        },
        "04_correlation",
        "accuracy-by-temperature",
    ),
)


def judge(runs: Iterable[Run]) -> list[Verdict]:
    """Verdict on every claim from the runs of one data set and one weight decay, one or several seeds.

    Raises ValueError when the students are of several data sets or weight decays.
    """
    by_seed = of_each_seed(runs)
    return [verdict(claim, by_seed) for claim in CLAIMS]


def quotable(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """What a text may quote, as it is shown.

    ``verdicts`` ("3 reproduced, 4 partly"); ``c1`` ... ``c11``: each verdict; ``c1_n`` ...: its seeds; and for the
    numbers that a claim names as ``quoted``, ``c1_r`` (mean over seeds) and ``c1_r_interval`` ("0.95 to 0.98", or why
    there is none).
    """
    words = [found.verdict for found in verdicts]
    said = {"verdicts": ", ".join(f"{words.count(word)} {word}" for word in WORDS if word in words)}
    for claim, found in zip(CLAIMS, verdicts, strict=True):
        key = claim.id.lower()
        said |= {key: found.verdict, f"{key}_n": f"{found.evidence['n']:.0f}"}
        for name in claim.quoted:
            shown = claim.measures[name]
            values = found.values.get(name, ())
            said[f"{key}_{name}"] = shown.over_seeds(values) if values else "not tested"
            said[f"{key}_{name}_interval"] = shown.between(values)
    return said
