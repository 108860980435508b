"""What this book says itself, as tests: each statement is true or false of one seed, like the paper's claims.

They were written after the first results were seen, unlike the tests of :mod:`kdnb.claims`; so what counts for them is
what they say of runs that came later and of data sets that are still to come. Thresholds are those of
:mod:`kdnb.predicates` where it has one of the kind. A statement holds when it holds in every seed that has the runs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kdnb.evidence import Missing
from kdnb.figures import readings
from kdnb.figures.readings import HOT
from kdnb.figures.source import Study
from kdnb.predicates import ACCURACY_MARGIN, HALVED, PEAK, SAME_R
from kdnb.verdicts import Measure, Numbers

Answer = Literal["holds", "holds in part of the seeds", "does not hold", "cannot be said"]
UNRELATED = 0.1  # cosine of two classifiers below which they may as well be unrelated
SMALL_PART = 0.1  # of all movement
NINE_TENTHS = 0.9


@dataclass(frozen=True)
class Statement:
    """One statement and how it is tested.

    title      the statement
    rule       when it holds, in words
    reading    the numbers of each seed by what they are; Missing, saying what is, when no seed has the runs
    holds      whether it holds, from those numbers
    measure    what the numbers are, and how one is written
    chapter    the notebook, and ``shown`` the figure in it, that has the details
    """

    id: str
    title: str
    rule: str
    reading: Callable[[Study], Mapping[int, Numbers]]
    holds: Callable[[Numbers], bool]
    measure: Measure
    chapter: str
    shown: str


@dataclass(frozen=True)
class Outcome:
    """A statement on one study: its answer, every number over the seeds, or what is missing."""

    answer: Answer
    values: Mapping[str, Sequence[float]]
    held: int
    seeds: Sequence[int]
    missing: str = ""


def judge(statement: Statement, study: Study) -> Outcome:
    """Test ``statement`` on every seed of the study that has what it needs."""
    try:
        found = statement.reading(study)
    except Missing as reason:
        return Outcome("cannot be said", {}, 0, [], str(reason))
    held = sum(statement.holds(numbers) for numbers in found.values())
    answer: Answer = "holds" if held == len(found) else "holds in part of the seeds" if held else "does not hold"
    names = dict.fromkeys(name for numbers in found.values() for name in numbers)
    values = {name: [numbers[name] for numbers in found.values() if name in numbers] for name in names}
    return Outcome(answer, values, held, list(found))


def _alike_to_both(numbers: Numbers) -> bool:
    pairs = [(numbers[f"{text}, teacher"], numbers[f"{text}, bystander"]) for text in ("distillation", "weight decay")]
    return sum(abs(teacher - bystander) for teacher, bystander in pairs) <= SMALL_PART


# ---------------------------------------------------------------------------------------------------------- statements
SHARE, R, POINTS = "{:+z.1%}", "{:+z.2f}", "{:+z.2%}"
STATEMENTS: tuple[Statement, ...] = (
    Statement(
        "S1",
        "Raw μ does not see the teacher: the two classifiers are as good as unrelated",
        f"The cosine of W_s and W_t stays below {UNRELATED:g} in size, under KD and in normal training.",
        readings.cosines,
        lambda n: abs(n[f"KD T={PEAK}"]) < UNRELATED and abs(n["normal"]) < UNRELATED,
        Measure("cosine of the classifiers, last epoch", R),
        "08_alignment",
        "norm-and-angle",
    ),
    Statement(
        "S2",
        "The correlation of μ with the loss is not about the teacher",
        f"r with μ to the bystander is within {SAME_R:g} of r with μ to the teacher (KD, T = {PEAK}).",
        readings.correlations,
        lambda n: abs(n["μ to the teacher"] - n["μ to the bystander"]) <= SAME_R,
        Measure("r of μ and the loss after the warm-up", R, "correlation"),
        "10_statistics",
        "seeds-difference",
    ),
    Statement(
        "S3",
        "What moves μ is that weights grow and decay, and it moves μ to any classifier alike",
        "The pulls of distillation and of decay on μ² to the teacher and to the bystander differ by at most "
        f"{SMALL_PART:.0%} of all movement (KD, T = {PEAK}, whole training).",
        readings.movers,
        _alike_to_both,
        Measure("change of μ², share of all movement", SHARE),
        "09_account",
        "excess-by-temperature",
    ),
    Statement(
        "S4",
        "Up to a rotation, distillation does turn the classifier towards its teacher's",
        "After the best rotation its cosine with the teacher's exceeds that with the bystander's, and by more than in "
        f"normal training (T = {PEAK}).",
        readings.rotated,
        lambda n: n[f"KD T={PEAK}"] > max(0.0, n["normal"]),
        Measure("cosine after rotation, teacher less bystander", "{:+z.4f}"),
        "08_alignment",
        "mu-teacher-or-bystander",
    ),
    Statement(
        "S5",
        "Relabelled, the teacher's classifier works on the student's features, taught or not",
        f"It keeps {NINE_TENTHS:.0%} of the student's own accuracy, under KD and in normal training.",
        readings.plug_in,
        lambda n: min(n[f"KD T={PEAK}, relabelled"], n["normal, relabelled"]) >= NINE_TENTHS,
        Measure("accuracy of W_t, share of the student's own", "{:.0%}"),
        "08_alignment",
        "plug-in-accuracy",
    ),
    Statement(
        "S6",
        "A student learns as well with the teacher's classifier as with its own, without a projector, wherever its "
        "columns stand",
        f"Frozen at W_t, and at W_t with its columns permuted, it is at most {100 * ACCURACY_MARGIN:g} points below "
        "KD.",
        readings.frozen,
        lambda n: min(n["frozen at W_t"], n["frozen at permuted W_t"]) >= -ACCURACY_MARGIN,
        Measure(f"test accuracy beside KD T={PEAK}", POINTS),
        "12_interventions",
        "interventions-paired-cifar100-small",
    ),
    Statement(
        "S7",
        "Drawn to W_t or kept far from it, a student learns alike",
        f"Pulled to W_t and pushed from it, students end at most {100 * ACCURACY_MARGIN:g} points apart.",
        readings.springs,
        lambda n: abs(n["pulled to W_t"] - n["pushed from W_t"]) <= ACCURACY_MARGIN,
        Measure(f"test accuracy beside KD T={PEAK}", POINTS),
        "12_interventions",
        "interventions-paired-cifar100-small",
    ),
    Statement(
        "S8",
        "What the student needs of a classifier is its axes and which classes are near which",
        f"Frozen at a rotated or a class-shuffled W_t it is more than {100 * ACCURACY_MARGIN:g} points below frozen at "
        "W_t.",
        readings.turned,
        lambda n: (
            max(n["frozen at rotated W_t"], n["frozen at class-shuffled W_t"]) < n["frozen at W_t"] - ACCURACY_MARGIN
        ),
        Measure(f"test accuracy beside KD T={PEAK}", POINTS),
        "12_interventions",
        "interventions-paired-cifar100-small",
    ),
    Statement(
        "S9",
        "At a high temperature distillation is a squared error",
        f"At T = {HOT}, r of μ and the loss is at most {HALVED:g} times as far from MSE's as at T = 1.",
        readings.nears_mse,
        lambda n: n[f"T = {HOT}"] <= HALVED * n["T = 1"],
        Measure("distance of r from MSE's", "{:.2f}"),
        "11_methods",
        "high-temperature-digits",
    ),
    Statement(
        "S10",
        "Distilled students keep their classes farther apart",
        "Between / within is larger than in normal training at T = 1, 4 and 10, all at one matched accuracy.",
        readings.separation,
        lambda n: min(n.values()) > 0,
        Measure("between / within beside normal training", SHARE),
        "13_geometry",
        "separation-digits",
    ),
    Statement(
        "S11",
        "The classes of a distilled student come to lie like its own teacher's, not like any teacher's",
        "The rank correlation of class distances with the teacher's exceeds that with the bystander's, and by more "
        "than in normal training.",
        readings.class_geometry,
        lambda n: n[f"KD T={PEAK}"] > max(0.0, n["normal"]),
        Measure("ρ with the teacher less ρ with the bystander", R),
        "13_geometry",
        "class-agreement-digits",
    ),
    Statement(
        "S12",
        "Behind a linear map any teacher's classifier works as well as one's own",
        f"Its accuracy is within {100 * ACCURACY_MARGIN:g} points of the own teacher's (KD, T = {PEAK}).",
        readings.linear_map,
        lambda n: n["another seed's teacher"] >= n["its teacher"] - ACCURACY_MARGIN,
        Measure("test accuracy behind a linear map", "{:.1%}"),
        "13_geometry",
        "stitching-digits",
    ),
)
