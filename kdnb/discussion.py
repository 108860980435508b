"""What this book says itself, as tests: each statement is true or false of one seed's runs, like the paper's claims.

They were written after the first results were seen, unlike the tests of :mod:`kdnb.claims`; so what counts for them is
what they say of runs that came later and of data sets that are still to come. Thresholds are those of
:mod:`kdnb.predicates` where it has one of the kind. A statement holds when it holds in every seed that has the runs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kdnb import stats
from kdnb.evidence import Missing, RunLike, Sweep, r_bystander, r_with_loss, window
from kdnb.predicates import ACCURACY_MARGIN, HALVED, PEAK, SAME_R
from kdnb.verdicts import Measure, Numbers

Answer = Literal["holds", "holds in part of the seeds", "does not hold", "cannot be said"]
UNRELATED = 0.1  # cosine of two classifiers below which they may as well be unrelated
SMALL_PART = 0.1  # of all movement
NINE_TENTHS = 0.9
HOT = 50


@dataclass(frozen=True)
class Statement:
    """One statement and how it is tested.

    title      the statement
    rule       when it holds, in words
    reading    the numbers of one seed by what they are; Missing when a run is not there
    holds      whether it holds, from those numbers
    measure    what the numbers are, and how one is written
    chapter    the notebook, and ``shown`` the figure in it, that has the details
    """

    id: str
    title: str
    rule: str
    reading: Callable[[Sweep], Numbers]
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


def judge(statement: Statement, by_seed: Sequence[Sweep]) -> Outcome:
    """Test ``statement`` on every seed that has the runs it needs."""
    found: dict[int, Numbers] = {}
    missing = ""
    for sweep in by_seed:
        try:
            found[sweep.seed] = statement.reading(sweep)
        except Missing as reason:
            missing = missing or str(reason)
    if not found:
        return Outcome("cannot be said", {}, 0, [], missing or "at least one student")
    held = sum(statement.holds(numbers) for numbers in found.values())
    answer: Answer = "holds" if held == len(found) else "holds in part of the seeds" if held else "does not hold"
    names = dict.fromkeys(name for numbers in found.values() for name in numbers)
    values = {name: [numbers[name] for numbers in found.values() if name in numbers] for name in names}
    return Outcome(answer, values, held, list(found))


# ------------------------------------------------------------------------------------------------------------ readings
def _last(run: RunLike, column: str) -> float:
    if column not in run.history:
        raise Missing(f"{column} of {run.spec.label}")
    return float(run.history[column].iloc[-1])


def _kd_and_normal(sweep: Sweep) -> dict[str, RunLike]:
    return {f"KD T={PEAK}": sweep.kd(PEAK), "normal": sweep.normal()}


def _optional(sweep: Sweep, methods: Mapping[str, str]) -> dict[str, RunLike]:
    """Those of ``methods`` (text by name) that were trained."""
    return {text: run for name, text in methods.items() if (run := sweep.first(name)) is not None}


def cosines(sweep: Sweep) -> Numbers:
    """Cosine of the student's and the teacher's classifier at the end."""
    runs = _kd_and_normal(sweep) | _optional(sweep, {"started": "for comparison: started at W_t"})
    return {text: _last(run, "classifier_cosine") for text, run in runs.items()}


def correlations(sweep: Sweep) -> Numbers:
    """r of mu and the loss, to the teacher and to the bystander, and r of their changes."""
    run = sweep.kd(PEAK)
    found = stats.correlation(
        run.history["mu_raw"],
        run.history["loss"],
        run.history["epoch"],
        warm_up=run.spec.epochs - len(window(run)),
        drops=run.spec.drops,
    )
    return {
        "μ to the teacher": r_with_loss(run),
        "μ to the bystander": r_bystander(run),
        "changes from epoch to epoch": found.r_differences,
    }


def movers(sweep: Sweep) -> Numbers:
    """What each cause did to mu^2 over the whole training, as a share of all movement; KD, T = 4, both teachers."""
    history = sweep.kd(PEAK).history
    if "bystander_pull_decay" not in history:
        raise Missing(f"an account of μ to teacher and bystander of KD T={PEAK}")
    total = sum(abs(float(history[column].sum())) for column in ("pull_ce", "pull_kd", "pull_decay", "spread"))
    return {
        f"{text}, {whose}": float(history[f"{side}pull_{cause}"].sum()) / total
        for cause, text in (("kd", "distillation"), ("decay", "weight decay"))
        for side, whose in (("", "teacher"), ("bystander_", "bystander"))
    }


def _alike_to_both(numbers: Numbers) -> bool:
    pairs = [(numbers[f"{text}, teacher"], numbers[f"{text}, bystander"]) for text in ("distillation", "weight decay")]
    return sum(abs(teacher - bystander) for teacher, bystander in pairs) <= SMALL_PART


def rotated(sweep: Sweep) -> Numbers:
    """Rotated mu to the teacher beside that to the bystander: their ratio, less one."""
    runs = _kd_and_normal(sweep)
    return {text: _last(run, "mu_rotated") / _last(run, "bystander_mu_rotated") - 1 for text, run in runs.items()}


def plug_in(sweep: Sweep) -> Numbers:
    """Accuracy of W_t on the student's features as a share of the student's own accuracy."""
    numbers = {}
    for text, run in _kd_and_normal(sweep).items():
        own = _last(run, "test_accuracy")
        numbers[f"{text}, as they are"] = _last(run, "plug_in_accuracy") / own
        numbers[f"{text}, relabelled"] = _last(run, "plug_in_accuracy_matched") / own
    return numbers


def frozen(sweep: Sweep) -> Numbers:
    """Accuracy beside KD's, T = 4, same seed: with W_t, with W_t renumbered, and what else was tried of the kind."""
    others = {"started": "started at W_t", "pulled": "pulled to W_t", "pushed": "pushed from W_t", "simkd": "SimKD"}
    return _beside_kd(sweep, {"frozen": "frozen at W_t", "permuted": "frozen at permuted W_t"}, others)


def turned(sweep: Sweep) -> Numbers:
    """The same for classifiers whose axes, or whose classes, are not the teacher's."""
    needed = {name: f"frozen at {text} W_t" for name, text in (("rotated", "rotated"), ("shuffled", "class-shuffled"))}
    return _beside_kd(sweep, {"frozen": "frozen at W_t"} | needed, {"simplex": "frozen at a simplex"})


def _beside_kd(sweep: Sweep, needed: Mapping[str, str], others: Mapping[str, str]) -> Numbers:
    runs = {text: sweep.of(name) for name, text in needed.items()} | _optional(sweep, others)
    level = _last(sweep.kd(PEAK), "test_accuracy")
    return {text: _last(run, "test_accuracy") - level for text, run in runs.items()}


def nears_mse(sweep: Sweep) -> Numbers:
    """How far r of mu and the loss is from MSE's, by temperature."""
    target = r_with_loss(sweep.mse())
    return {f"T = {t}": abs(r_with_loss(sweep.kd(t)) - target) for t in (1, PEAK, 10, HOT)}


def separation(sweep: Sweep) -> Numbers:
    """Between / within distance of classes at matched accuracy, beside normal training."""
    base = sweep.separation_of("normal").ratio
    return {f"KD T={t}": sweep.separation_of(f"KD T={t}").ratio / base - 1 for t in (1, PEAK, 10)}


# ---------------------------------------------------------------------------------------------------------- statements
SHARE, R, POINTS = "{:+z.1%}", "{:+z.2f}", "{:+z.2%}"
STATEMENTS: tuple[Statement, ...] = (
    Statement(
        "S1",
        "Raw μ does not see the teacher: the two classifiers are as good as unrelated",
        f"The cosine of W_s and W_t stays below {UNRELATED:g} in size, under KD and in normal training.",
        cosines,
        lambda n: abs(n[f"KD T={PEAK}"]) < UNRELATED and abs(n["normal"]) < UNRELATED,
        Measure("cosine of the classifiers, last epoch", R),
        "08_alignment",
        "norm-and-angle",
    ),
    Statement(
        "S2",
        "The correlation of μ with the loss is not about the teacher",
        f"r with μ to the bystander is within {SAME_R:g} of r with μ to the teacher (KD, T = {PEAK}).",
        correlations,
        lambda n: abs(n["μ to the teacher"] - n["μ to the bystander"]) <= SAME_R,
        Measure("r of μ and the loss after the warm-up", R, "correlation"),
        "10_statistics",
        "r-over-seeds",
    ),
    Statement(
        "S3",
        "What moves μ is that weights grow and decay, and it moves μ to any classifier alike",
        "The pulls of distillation and of decay on μ² to the teacher and to the bystander differ by at most "
        f"{SMALL_PART:.0%} of all movement (KD, T = {PEAK}, whole training).",
        movers,
        _alike_to_both,
        Measure("change of μ², share of all movement", SHARE),
        "09_account",
        "account-through-time",
    ),
    Statement(
        "S4",
        "Up to a rotation, distillation does bring the classifier nearer to its teacher's",
        f"Rotated μ to the teacher, beside that to the bystander, is smaller under KD (T = {PEAK}) than in normal "
        "training.",
        rotated,
        lambda n: n[f"KD T={PEAK}"] < min(0.0, n["normal"]),
        Measure("rotated μ, teacher beside bystander", SHARE),
        "08_alignment",
        "rungs-by-temperature",
    ),
    Statement(
        "S5",
        "Relabelled, the teacher's classifier works on the student's features, taught or not",
        f"It keeps {NINE_TENTHS:.0%} of the student's own accuracy, under KD and in normal training.",
        plug_in,
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
        frozen,
        lambda n: min(n["frozen at W_t"], n["frozen at permuted W_t"]) >= -ACCURACY_MARGIN,
        Measure(f"test accuracy beside KD T={PEAK}", POINTS),
        "12_interventions",
        "interventions-differences",
    ),
    Statement(
        "S7",
        "What the student needs of a classifier is its axes and which classes are near which",
        f"Frozen at a rotated or a class-shuffled W_t it is more than {100 * ACCURACY_MARGIN:g} points below frozen at "
        "W_t.",
        turned,
        lambda n: (
            max(n["frozen at rotated W_t"], n["frozen at class-shuffled W_t"]) < n["frozen at W_t"] - ACCURACY_MARGIN
        ),
        Measure(f"test accuracy beside KD T={PEAK}", POINTS),
        "12_interventions",
        "interventions-differences",
    ),
    Statement(
        "S8",
        "At a high temperature distillation is a squared error",
        f"At T = {HOT}, r of μ and the loss is at most {HALVED:g} times as far from MSE's as at T = 1.",
        nears_mse,
        lambda n: n[f"T = {HOT}"] <= HALVED * n["T = 1"],
        Measure("distance of r from MSE's", "{:.2f}"),
        "11_methods",
        "beyond-ten",
    ),
    Statement(
        "S9",
        "Distilled students keep their classes farther apart",
        "Between / within is larger than in normal training at T = 1, 4 and 10, all at one matched accuracy.",
        separation,
        lambda n: min(n.values()) > 0,
        Measure("between / within beside normal training", SHARE),
        "13_geometry",
        "separation-over-seeds",
    ),
)
