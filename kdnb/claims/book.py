"""What this book says itself, as tests of means over seeds.

They were written after the first results were seen, unlike the tests of :mod:`kdnb.claims.paper`; so what counts for
them is what they say of runs that came later and of data sets that are still to come. Thresholds are the paper's own
(:mod:`kdnb.claims.thresholds`) where they have one of the kind.

A statement asks for one or more numbers to be positive: its *margins*, one each a seed. It holds when the 95% interval
of the mean of every margin lies above zero, and does not when that of one lies below; in between these seeds do not
decide. So "alike" and "as well as" are claimed only when the whole interval of the difference lies inside the bounds
(two one-sided tests, each bound a margin), and fewer than three seeds decide nothing. The interval of a share of yes
and no is the exact one: a few seeds of a few answers take so few values that Student's is often too narrow, or a point.
"""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from kdnb.analysis.students import HOT, PEAK
from kdnb.analysis.study import Study
from kdnb.claims import book_numbers as numbers
from kdnb.claims.judge import EVERY, Claim, Measure, Numbers, Parts, above, by_interval
from kdnb.claims.thresholds import ACCURACY_MARGIN, HALVED, NINE_TENTHS, SAME_R, UNRELATED


def statement(
    name: str,
    title: str,
    rule: str,
    read: Callable[[Study], Numbers],
    margins: Callable[[Numbers], Sequence[float]],
    measure: Measure,
    quoted: Sequence[str],
) -> Claim[Study]:
    """The claim ``title``, which holds by its ``rule`` when every one of ``margins`` is positive.

    quoted: the numbers that its rule is about, for a table
    """

    def parts(n: Numbers) -> Parts:
        return {f"margin {k}": margin for k, margin in enumerate(margins(n), 1)}

    return Claim(name, title, rule, read, parts, {EVERY: measure}, quoted=quoted, word=by_interval)


def within(value: float, bound: float) -> tuple[float, float]:
    """The two margins of ``value`` between ``-bound`` and ``bound``."""
    return bound - value, bound + value


def together(values: Sequence[float], bound: float) -> list[float]:
    """The margins of values whose sizes add up to ``bound`` at most.

    One for each choice of signs, so that over seeds noise of either sign cancels; in a sum of sizes it would add up.
    """
    return [bound - float(np.dot(signs, values)) for signs in product((1, -1), repeat=len(values))]


# ---------------------------------------------------------------------------------------------------------- statements
SHARE, R, POINTS = "{:+z.1%}", "{:+z.2f}", "{:+z.2f} points"
HALF_POINT = 100 * ACCURACY_MARGIN
STATEMENTS: tuple[Claim[Study], ...] = (
    statement(
        "S1",
        "Raw μ does not see the teacher: the two classifiers are as good as unrelated",
        f"The cosine of W_s and W_t stays below {UNRELATED:g} in size, under KD and in normal training.",
        numbers.cosines,
        lambda n: [*within(n[f"KD T={PEAK}"], UNRELATED), *within(n["normal"], UNRELATED)],
        Measure("cosine of the classifiers, last epoch", R),
        (f"KD T={PEAK}", "normal"),
    ),
    statement(
        "S2",
        "The correlation of μ with the loss is not about the teacher",
        f"r with μ to the bystander is within {SAME_R:g} of r with μ to the teacher (KD, T = {PEAK}).",
        numbers.correlations,
        lambda n: within(n["μ to the teacher"] - n["μ to the bystander"], SAME_R),
        Measure("r of μ and the loss after the warm-up", R, "correlation"),
        ("μ to the teacher", "μ to the bystander"),
    ),
    statement(
        "S3",
        "Distillation and decay move μ to the bystander's classifier as they move μ to the teacher's",
        "What both of them pull to the teacher and not to the bystander over the whole training adds up, whatever the "
        f"signs, to a cosine of at most {UNRELATED:g} (KD, T = {PEAK}).",
        numbers.movers,
        lambda n: together(list(n.values()), UNRELATED),
        Measure("pull to the teacher less to the bystander, as a cosine", R),
        tuple(numbers.PULLS.values()),
    ),
    statement(
        "S4",
        "Up to a rotation, distillation turns the classifier towards its teacher's",
        "After the best rotation its cosine with the teacher's exceeds that with the bystander's, and by more than in "
        f"normal training (T = {PEAK}).",
        numbers.rotated,
        lambda n: [n[f"KD T={PEAK}"], n[f"KD T={PEAK}"] - n["normal"]],
        Measure("cosine after rotation, teacher less bystander", "{:+z.4f}"),
        (f"KD T={PEAK}", "normal"),
    ),
    statement(
        "S5",
        "In matched order the teacher's classifier works on the student's features, taught or not",
        f"It keeps {NINE_TENTHS:.0%} of the student's own accuracy, under KD and in normal training.",
        numbers.plug_in,
        lambda n: [n[f"KD T={PEAK}, matched"] - NINE_TENTHS, n["normal, matched"] - NINE_TENTHS],
        Measure("accuracy of W_t, share of the student's own", "{:.0%}"),
        (f"KD T={PEAK}, matched", "normal, matched"),
    ),
    statement(
        "S6",
        "A student learns as well with the teacher's classifier as with its own, without a projector, wherever its "
        "columns stand",
        f"Frozen at W_t, and at W_t with its columns permuted, it ends within {HALF_POINT:g} points of KD.",
        numbers.frozen,
        lambda n: [*within(n["frozen at W_t"], HALF_POINT), *within(n["frozen at permuted W_t"], HALF_POINT)],
        Measure(f"test accuracy beside KD T={PEAK}", POINTS),
        ("frozen at W_t", "frozen at permuted W_t"),
    ),
    statement(
        "S7",
        "Drawn to W_t or kept far from it, a student learns alike",
        f"Pulled to W_t and pushed from it, students end at most {HALF_POINT:g} points apart.",
        numbers.springs,
        lambda n: within(n["pulled to W_t"] - n["pushed from W_t"], HALF_POINT),
        Measure(f"test accuracy beside KD T={PEAK}", POINTS),
        ("pulled to W_t", "pushed from W_t"),
    ),
    statement(
        "S8",
        "A student falls behind with a classifier that was turned, and with one whose rows were shuffled",
        f"Frozen at a rotated or a class-shuffled W_t it is more than {HALF_POINT:g} points below frozen at W_t.",
        numbers.turned,
        lambda n: [
            n["frozen at W_t"] - HALF_POINT - n[f"frozen at {text} W_t"] for text in ("rotated", "class-shuffled")
        ],
        Measure(f"test accuracy beside KD T={PEAK}", POINTS),
        ("frozen at W_t", "frozen at rotated W_t", "frozen at class-shuffled W_t"),
    ),
    statement(
        "S9",
        f"At T = {HOT} μ goes with the loss as it does under a squared error",
        f"At T = {HOT}, r of μ and the loss is at most {HALVED:g} times as far from MSE's as at T = 1.",
        numbers.nears_mse,
        lambda n: [HALVED * n["T = 1"] - n[f"T = {HOT}"]],
        Measure("distance of r from MSE's", "{:.2f}"),
        ("T = 1", f"T = {HOT}"),
    ),
    statement(
        "S10",
        "Distilled students keep their classes farther apart",
        "Between / within is larger than in normal training at T = 1, 4 and 10, all at one equal training accuracy.",
        numbers.separation,
        lambda n: list(n.values()),
        Measure("between / within beside normal training", SHARE),
        ("KD T=1", "KD T=4", "KD T=10"),
    ),
    statement(
        "S11",
        "A distilled student's classes lie more like its own teacher's than like another's",
        "The rank correlation of class distances with the teacher's exceeds that with the bystander's, and by more "
        "than in normal training.",
        numbers.class_geometry,
        lambda n: [n[f"KD T={PEAK}"], n[f"KD T={PEAK}"] - n["normal"]],
        Measure("ρ with the teacher less ρ with the bystander", "{:+z.3f}"),
        (f"KD T={PEAK}", "normal"),
    ),
    statement(
        "S12",
        "Behind a linear map another teacher's classifier works as well as one's own",
        f"Its accuracy is within {HALF_POINT:g} points of the own teacher's (KD, T = {PEAK}).",
        numbers.linear_map,
        lambda n: within(n["another seed's teacher"] - n["its teacher"], ACCURACY_MARGIN),
        Measure("test accuracy behind a linear map", "{:.1%}"),
        ("its teacher", "another seed's teacher"),
    ),
    statement(
        "S13",
        "The paper's correlation is the length of the student's classifier",
        f"Over the students of the paper's sweep that all seeds have r with ‖W_s‖ is within {SAME_R:g} of r with μ "
        f"(median), and {NINE_TENTHS:.0%} of them have r > 0 where ‖W_s‖ shrinks after the warm-up and r < 0 where it "
        "grows (exact interval of all seeds' students, as if independent).",
        numbers.norms_explain,
        lambda n: [SAME_R - n["gap"], above(n["sign as ‖W_s‖ says"], NINE_TENTHS)],
        Measure("gap: |r(μ) − r(‖W_s‖)|, median; share of signs", "{:.3f}"),
        ("gap", "sign as ‖W_s‖ says"),
    ),
)
