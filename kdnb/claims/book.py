"""What this book says itself, as tests of means over seeds.

They were written after the first results were seen, unlike the tests of :mod:`kdnb.claims.paper`; so what counts for
them is what they say of runs that came later and of data sets that are still to come. Thresholds are those of
:mod:`kdnb.claims.predicates` where it has one of the kind.

A statement asks for one or more numbers to be positive: its *margins*, one each a seed. It holds when the 95 % interval
of the mean of every margin lies above zero, and does not when that of one lies below; in between these seeds do not
decide. So "alike" and "as well as" are claimed only when the whole interval of the difference lies inside the bounds
(two one-sided tests, each bound a margin), and fewer than three seeds decide nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kdnb.analysis import stats
from kdnb.analysis.selection import Study
from kdnb.analysis.students import HOT, PEAK, Missing
from kdnb.claims import seed_numbers
from kdnb.claims.judge import Measure, Numbers
from kdnb.claims.predicates import ACCURACY_MARGIN, HALVED, SAME_R

Answer = Literal["holds", "undecided", "does not hold", "too few seeds", "cannot be said"]
UNRELATED = 0.1  # cosine of two classifiers below which they may as well be unrelated
SMALL_PART = 0.1  # of all movement
NINE_TENTHS = 0.9


@dataclass(frozen=True)
class Statement:
    """One statement and how it is tested.

    title      the statement
    rule       when it holds, in words
    reading    the numbers of each seed by what they are; Missing, saying what is, when no seed has the runs
    margins    from those numbers, what must be positive
    measure    what the numbers are, and how one is written
    chapter    the notebook, and ``shown`` the figure in it, that has the details
    """

    id: str
    title: str
    rule: str
    reading: Callable[[Study], Mapping[int, Numbers]]
    margins: Callable[[Numbers], Sequence[float]]
    measure: Measure
    chapter: str
    shown: str


@dataclass(frozen=True)
class Outcome:
    """A statement on one study: its answer, every number over the seeds, or what is missing.

    held   in how many seeds every margin is positive
    """

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
    margins = np.array([statement.margins(numbers) for numbers in found.values()], float)
    names = dict.fromkeys(name for numbers in found.values() for name in numbers)
    values = {name: [numbers[name] for numbers in found.values() if name in numbers] for name in names}
    return Outcome(_answer(margins), values, int((margins > 0).all(1).sum()), list(found))


def _answer(margins: np.ndarray) -> Answer:
    """From margins, seeds x numbers."""
    if len(margins) < stats.LEAST_RUNS:
        return "too few seeds"
    ends = [stats.mean_interval(column) for column in margins.T]
    if all(low > 0 for low, _ in ends):
        return "holds"
    return "does not hold" if any(high < 0 for _, high in ends) else "undecided"


def within(value: float, bound: float) -> tuple[float, float]:
    """The two margins of ``value`` between ``-bound`` and ``bound``."""
    return bound - value, bound + value


def _parted(numbers: Numbers) -> float:
    """By how much the pulls on mu^2 to the teacher and to the bystander differ, as a share of all movement."""
    pairs = [(numbers[f"{text}, teacher"], numbers[f"{text}, bystander"]) for text in ("distillation", "weight decay")]
    return sum(abs(teacher - bystander) for teacher, bystander in pairs)


# ---------------------------------------------------------------------------------------------------------- statements
SHARE, R, POINTS = "{:+z.1%}", "{:+z.2f}", "{:+z.2%}"
STATEMENTS: tuple[Statement, ...] = (
    Statement(
        "S1",
        "Raw μ does not see the teacher: the two classifiers are as good as unrelated",
        f"The cosine of W_s and W_t stays below {UNRELATED:g} in size, under KD and in normal training.",
        seed_numbers.cosines,
        lambda n: [*within(n[f"KD T={PEAK}"], UNRELATED), *within(n["normal"], UNRELATED)],
        Measure("cosine of the classifiers, last epoch", R),
        "08_alignment",
        "norm-and-angle",
    ),
    Statement(
        "S2",
        "The correlation of μ with the loss is not about the teacher",
        f"r with μ to the bystander is within {SAME_R:g} of r with μ to the teacher (KD, T = {PEAK}).",
        seed_numbers.correlations,
        lambda n: within(n["μ to the teacher"] - n["μ to the bystander"], SAME_R),
        Measure("r of μ and the loss after the warm-up", R, "correlation"),
        "10_statistics",
        "seeds-difference",
    ),
    Statement(
        "S3",
        "What moves μ is that weights grow and decay, and it moves μ to any classifier alike",
        "The pulls of distillation and of decay on μ² to the teacher and to the bystander differ by at most "
        f"{SMALL_PART:.0%} of all movement (KD, T = {PEAK}, whole training).",
        seed_numbers.movers,
        lambda n: [SMALL_PART - _parted(n)],
        Measure("change of μ², share of all movement", SHARE),
        "09_account",
        "excess-by-temperature",
    ),
    Statement(
        "S4",
        "Up to a rotation, distillation does turn the classifier towards its teacher's",
        "After the best rotation its cosine with the teacher's exceeds that with the bystander's, and by more than in "
        f"normal training (T = {PEAK}).",
        seed_numbers.rotated,
        lambda n: [n[f"KD T={PEAK}"], n[f"KD T={PEAK}"] - n["normal"]],
        Measure("cosine after rotation, teacher less bystander", "{:+z.4f}"),
        "08_alignment",
        "mu-teacher-or-bystander",
    ),
    Statement(
        "S5",
        "Relabelled, the teacher's classifier works on the student's features, taught or not",
        f"It keeps {NINE_TENTHS:.0%} of the student's own accuracy, under KD and in normal training.",
        seed_numbers.plug_in,
        lambda n: [n[f"KD T={PEAK}, relabelled"] - NINE_TENTHS, n["normal, relabelled"] - NINE_TENTHS],
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
        seed_numbers.frozen,
        lambda n: [n["frozen at W_t"] + ACCURACY_MARGIN, n["frozen at permuted W_t"] + ACCURACY_MARGIN],
        Measure(f"test accuracy beside KD T={PEAK}", POINTS),
        "12_interventions",
        "interventions-paired-cifar100-small",
    ),
    Statement(
        "S7",
        "Drawn to W_t or kept far from it, a student learns alike",
        f"Pulled to W_t and pushed from it, students end at most {100 * ACCURACY_MARGIN:g} points apart.",
        seed_numbers.springs,
        lambda n: within(n["pulled to W_t"] - n["pushed from W_t"], ACCURACY_MARGIN),
        Measure(f"test accuracy beside KD T={PEAK}", POINTS),
        "12_interventions",
        "interventions-paired-cifar100-small",
    ),
    Statement(
        "S8",
        "What the student needs of a classifier is its axes and which classes are near which",
        f"Frozen at a rotated or a class-shuffled W_t it is more than {100 * ACCURACY_MARGIN:g} points below frozen at "
        "W_t.",
        seed_numbers.turned,
        lambda n: [
            n["frozen at W_t"] - ACCURACY_MARGIN - n[f"frozen at {text} W_t"] for text in ("rotated", "class-shuffled")
        ],
        Measure(f"test accuracy beside KD T={PEAK}", POINTS),
        "12_interventions",
        "interventions-paired-cifar100-small",
    ),
    Statement(
        "S9",
        "At a high temperature distillation is a squared error",
        f"At T = {HOT}, r of μ and the loss is at most {HALVED:g} times as far from MSE's as at T = 1.",
        seed_numbers.nears_mse,
        lambda n: [HALVED * n["T = 1"] - n[f"T = {HOT}"]],
        Measure("distance of r from MSE's", "{:.2f}"),
        "11_methods",
        "high-temperature-digits",
    ),
    Statement(
        "S10",
        "Distilled students keep their classes farther apart",
        "Between / within is larger than in normal training at T = 1, 4 and 10, all at one matched accuracy.",
        seed_numbers.separation,
        lambda n: list(n.values()),
        Measure("between / within beside normal training", SHARE),
        "13_geometry",
        "separation-digits",
    ),
    Statement(
        "S11",
        "The classes of a distilled student come to lie like its own teacher's, not like any teacher's",
        "The rank correlation of class distances with the teacher's exceeds that with the bystander's, and by more "
        "than in normal training.",
        seed_numbers.class_geometry,
        lambda n: [n[f"KD T={PEAK}"], n[f"KD T={PEAK}"] - n["normal"]],
        Measure("ρ with the teacher less ρ with the bystander", R),
        "13_geometry",
        "class-agreement-digits",
    ),
    Statement(
        "S12",
        "Behind a linear map any teacher's classifier works as well as one's own",
        f"Its accuracy is within {100 * ACCURACY_MARGIN:g} points of the own teacher's (KD, T = {PEAK}).",
        seed_numbers.linear_map,
        lambda n: [n["another seed's teacher"] - n["its teacher"] + ACCURACY_MARGIN],
        Measure("test accuracy behind a linear map", "{:.1%}"),
        "13_geometry",
        "stitching-digits",
    ),
    Statement(
        "S13",
        "The paper's correlation is the length of the student's classifier",
        f"Over a seed's students of the paper's sweep r with ‖W_s‖ is within {SAME_R:g} of r with μ (median), and "
        f"{NINE_TENTHS:.0%} of them have r > 0 where ‖W_s‖ shrinks after the warm-up and r < 0 where it grows.",
        seed_numbers.norms_explain,
        lambda n: [SAME_R - n["gap"], n["sign as ‖W_s‖ says"] - NINE_TENTHS],
        Measure("gap: |r(μ) − r(‖W_s‖)|, median; share of signs", "{:.2f}"),
        "04_correlation",
        "norms-by-temperature",
    ),
)
