"""A claim and its controls: curves planted to stand or to fall, one control at a time; every number computed anew."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats
from test_paper import EPOCHS, FakeRun, curves, student

from kdnb.analysis.mismatched_pairs import pairing
from kdnb.analysis.students import Students, of_each_seed
from kdnb.claims import controls, paper
from kdnb.claims.controls import Check
from kdnb.claims.judge import Measure

PHASE = np.searchsorted((150, 180, 210), EPOCHS)
STAIRS = np.array([1.0, 0.6, 0.3, 0.2])[PHASE]  # what the schedule does to a curve that knows nothing else
LATE = EPOCHS > 120
SEEDS = range(5)


def noise(*seed: int) -> np.ndarray:
    return 0.02 * np.random.default_rng(seed).normal(size=240)


def history(seed: int, mu: np.ndarray, loss: np.ndarray, **columns: np.ndarray) -> pd.DataFrame:
    usual = {"bystander_mu_raw": 9 + STAIRS + noise(seed, 1), "weight_norm": 5 + noise(seed, 2)}
    angle = {"classifier_cosine": 0.5 - mu / 99}
    return pd.DataFrame({"epoch": EPOCHS, "mu_raw": mu, "loss": loss, **usual, **angle, **columns})


def own(seed: int) -> FakeRun:
    """mu follows what is its own run's loss alone."""
    loss = noise(seed, 3)
    return student("kd", history(seed, 9 + loss + noise(seed, 4) / 3, loss), seed=seed, temperature=4.0, alpha=0.9)


def scheduled(seed: int) -> FakeRun:
    """mu and loss know the schedule, and not each other."""
    table = history(seed, 9 + STAIRS + noise(seed, 4), 2 * STAIRS + noise(seed, 3))
    return student("kd", table, seed=seed, temperature=4.0, alpha=0.9)


def normed(seed: int) -> FakeRun:
    """mu and loss both follow the norm of the classifier, and beyond it nothing."""
    norm = noise(seed, 5)
    table = history(seed, 9 + norm + noise(seed, 4) / 4, norm + noise(seed, 3) / 4, weight_norm=5 + norm)
    return student("kd", table, seed=seed, temperature=4.0, alpha=0.9)


def r(x: pd.Series, y: pd.Series) -> float:
    return float(np.corrcoef(np.asarray(x)[LATE], np.asarray(y)[LATE])[0, 1])


def answers(runs: list[FakeRun], claim: str) -> list[str]:
    return [check.answer for check in controls.judge(runs)[claim]]


@pytest.mark.parametrize(
    ("made", "expected"),
    [(own, "yes yes yes yes yes yes"), (scheduled, "yes no no no no yes"), (normed, "yes yes yes yes yes no")],
)
def test_what_is_planted_is_what_stands(made: object, expected: str) -> None:
    runs = [made(seed) for seed in SEEDS]  # type: ignore[operator]
    assert answers(runs, "C1") == expected.split()


def test_the_wrong_sign_is_a_no_and_fewer_than_three_seeds_say_nothing() -> None:
    turned = [own(seed) for seed in SEEDS]
    for run in turned:
        run.history = run.history.assign(mu_raw=20 - run.history["mu_raw"])
    assert answers(turned, "C1") == ["no"] * 6
    assert answers([own(0), own(1)], "C1") == ["cannot be said"] * 6
    assert answers([own(seed) for seed in range(3)], "C1")[0] == "yes"
    assert answers([], "C1") == ["cannot be said"] * 6


def test_the_answer_is_students_interval_over_seeds_against_zero() -> None:
    value = Measure("", "{:.3f}")
    for values in ([0.1, 0.2, 0.3, 0.25], [0.1, -0.1, 0.3, 0.2], [-0.3, -0.2, -0.25]):
        low, high = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert (Check.of(value, 1, values).answer == "yes") == (low > 0)
        assert (Check.of(value, -1, values).answer == "yes") == (high < 0)
    r_of = Measure("", "{:.3f}", "correlation")
    assert Check.of(r_of, 1, [0.9, 0.95, 1.0]).answer == "cannot be said"  # r = 1 has no finite z


def test_every_number_of_c1_is_that_of_the_curves() -> None:
    runs = [scheduled(seed) for seed in SEEDS]
    tables = [run.history for run in runs]
    checks = controls.judge(runs)["C1"]
    over, teacher, run, phases, changes, norm = (check.values for check in checks)
    matched = np.array([r(t.mu_raw, t.loss) for t in tables])
    assert over == pytest.approx(matched)
    assert teacher == pytest.approx([m - r(t.bystander_mu_raw, t.loss) for m, t in zip(matched, tables, strict=True)])
    crossed = pd.DataFrame([[r(a.mu_raw, b.loss) for b in tables] for a in tables])
    expected = pairing(crossed)
    assert np.mean(run) == pytest.approx(matched.mean() - crossed.to_numpy()[~np.eye(5, dtype=bool)].mean())
    assert (*run, *checks[2].interval) == pytest.approx((*expected.values, expected.low, expected.high))
    spans = [(120, 150), (150, 180), (180, 210), (210, 240)]
    z = [np.arctanh([np.corrcoef(t.mu_raw[a:b], t.loss[a:b])[0, 1] for a, b in spans]).mean() for t in tables]
    assert phases == pytest.approx(np.tanh(z))  # phases of 30 epochs count alike
    kept = [i for i in range(120, 239) if i + 1 not in (150, 180, 210)]
    steps = [[np.diff(t[name])[kept] for name in ("mu_raw", "loss")] for t in tables]
    assert changes == pytest.approx([np.corrcoef(*pair)[0, 1] for pair in steps])
    ab, ac, bc = (
        np.array([r(t[x], t[y]) for t in tables])
        for x, y in (("mu_raw", "loss"), ("mu_raw", "weight_norm"), ("loss", "weight_norm"))
    )
    assert norm == pytest.approx((ab - ac * bc) / np.sqrt((1 - ac**2) * (1 - bc**2)))


def test_c2_claims_a_negative_r_of_normal_training() -> None:
    runs = [own(seed) for seed in SEEDS]
    for run in runs:
        run.spec = student("normal", run.history, seed=run.spec.init_seed).spec
        run.history = run.history.assign(mu_raw=20 - run.history["mu_raw"])
    assert answers(runs, "C2") == ["yes"] * 6 and answers(runs, "C1") == ["cannot be said"] * 6


def test_the_peak_of_c4_is_above_the_higher_end_in_every_way() -> None:
    runs = []
    for seed in SEEDS:
        for t, share in ((1, 0.3), (4, 0.9), (10, -0.5)):
            mixed = share * noise(seed, t) + np.sqrt(1 - share**2) * noise(seed, t, 1)
            runs.append(student("kd", history(seed, 9 + mixed, noise(seed, t)), seed=seed, temperature=t, alpha=0.9))
    checks = controls.judge(runs)["C4"]
    by = {(run.spec.init_seed, run.spec.method_parameters["temperature"]): run.history for run in runs}
    height = [
        r(by[s, 4].mu_raw, by[s, 4].loss) - max(r(by[s, t].mu_raw, by[s, t].loss) for t in (1, 10)) for s in SEEDS
    ]
    assert checks[0].values == pytest.approx(height) and checks[0].answer == "yes"
    assert np.mean(checks[0].values) == pytest.approx(0.6, abs=0.1)
    assert [check.answer for check in checks[3:]] == ["yes"] * 3


def test_c8_holds_both_norms_fixed_and_pairs_dist_with_the_kd_of_other_seeds() -> None:
    runs = []
    for seed in SEEDS:
        norm, shared = noise(seed, 6), noise(seed, 7)
        mine, theirs = (history(seed, 9 + norm + shared + noise(seed, k) / 3, STAIRS) for k in (8, 9))
        runs.append(student("dist", mine.assign(weight_norm=5 + noise(seed, 10)), seed=seed, temperature=4.0))
        runs.append(student("kd", theirs.assign(weight_norm=5 + norm), seed=seed, temperature=4.0, alpha=0.9))
    over, _, run, *_, norm = controls.judge(runs)["C8"]
    dist, kd = ([run.history for run in runs if run.spec.method == method] for method in ("dist", "kd"))
    assert over.values == pytest.approx([r(a.mu_raw, b.mu_raw) for a, b in zip(dist, kd, strict=True)])
    others = [r(dist[i].mu_raw, kd[j].mu_raw) for i in SEEDS for j in SEEDS if j != i]
    assert np.mean(run.values) == pytest.approx(np.mean(over.values) - np.mean(others)) and run.answer == "yes"
    first = np.corrcoef([c[LATE] for c in (dist[0].mu_raw, kd[0].mu_raw, dist[0].weight_norm, kd[0].weight_norm)])
    inverse = np.linalg.inv(first)
    assert norm.values[0] == pytest.approx(-inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1]))


def test_c10_is_about_one_less_the_cosine_and_no_cosine_to_the_bystander_is_kept() -> None:
    runs = [own(seed) for seed in SEEDS]
    for run in runs:
        jumps = noise(run.spec.init_seed, 11) / 9
        run.history = run.history.assign(classifier_cosine=0.5 - run.history["mu_raw"] / 99 + jumps)
    rougher, over, teacher, *_ = controls.judge(runs)["C10"]
    assert over.values == pytest.approx([r(1 - run.history.classifier_cosine, run.history.loss) for run in runs])
    assert (teacher.answer, list(teacher.values)) == ("cannot be said", [])
    assert len(rougher.values) == 5


# ------------------------------------------------------------------------------------------------------ mu's movement
def moving(seed: int, angle: np.ndarray, length: np.ndarray) -> FakeRun:
    """A student's classifier in the plane of its teacher's, which is (3, 0): its length and angle over the epochs."""
    w = np.stack([length * np.cos(angle), length * np.sin(angle)])
    mu, bystander = (np.linalg.norm(w - np.array([[3 * np.cos(a)], [3 * np.sin(a)]]), axis=0) for a in (0, 2.5))
    curves = {"bystander_mu_raw": bystander, "weight_norm": length, "classifier_cosine": np.cos(angle)}
    return student("kd", history(seed, mu, STAIRS, **curves), seed=seed, temperature=4.0, alpha=0.9)


def test_a_fall_of_mu_that_the_norm_explains_is_not_the_angle_s() -> None:
    share, still = np.clip((EPOCHS - 120) / 100, 0, 1), np.full(240, 1.2)
    shrinks = [moving(seed, still, 2 + seed / 9 - share) for seed in SEEDS]
    fall, _, beyond = controls.judge(shrinks)["C3"]
    mu = [run.history.mu_raw for run in shrinks]
    assert fall.values == pytest.approx([1 - m.iloc[-5:].mean() / m.iloc[115:120].mean() for m in mu])
    assert min(fall.values) > 0.04 and beyond.values == pytest.approx([0] * 5, abs=1e-12)
    turns = [moving(seed, still - share * (0.3 + seed / 99), np.full(240, 2.0)) for seed in SEEDS]
    fall, teacher, beyond = controls.judge(turns)["C3"]
    assert beyond.values == pytest.approx(fall.values)  # at one norm all of the fall is the angle's
    assert [check.answer for check in (fall, teacher, beyond)] == ["yes"] * 3


def test_a_fall_towards_every_classifier_is_not_towards_this_teacher() -> None:
    runs = [scheduled(seed) for seed in SEEDS]
    for run in runs:
        seed = run.spec.init_seed
        run.history = run.history.assign(mu_raw=9 - EPOCHS / 240 + noise(seed, 1) / 9)
        run.history = run.history.assign(bystander_mu_raw=9 - EPOCHS / 240 + noise(seed, 2) / 9)
    assert answers(runs, "C3")[:2] == ["yes", "no"]


# ------------------------------------------------------------------------------------------------- what is not there
@pytest.mark.parametrize(("column", "lost"), [("bystander_mu_raw", [1]), ("weight_norm", [*range(6)])])
def test_a_column_that_is_missing_leaves_its_checks_unanswered(column: str, lost: list[int]) -> None:
    runs = [own(seed) for seed in SEEDS]
    for run in runs:
        run.history = run.history.drop(columns=column)
    assert [k for k, answer in enumerate(answers(runs, "C1")) if answer == "cannot be said"] == lost


def test_a_seed_without_its_run_is_not_counted_nor_a_partner() -> None:
    runs = [own(seed) for seed in SEEDS]
    alone = student("normal", runs[0].history, seed=9)
    found, more = (controls.judge(some)["C1"] for some in (runs, [*runs, alone]))
    assert [list(check.values) for check in found] == [list(check.values) for check in more]
    flat = [*runs, student("kd", runs[0].history.assign(mu_raw=3.0), seed=9, temperature=4.0, alpha=0.9)]
    assert len(controls.judge(flat)["C1"][0].values) == 5  # a constant mu has no r


def test_students_of_two_lengths_are_not_paired() -> None:
    runs = [own(seed) for seed in range(4)]
    runs[3].history = runs[3].history.iloc[:200]
    checks = controls.judge(runs)["C1"]
    assert [len(check.values) for check in checks[:3]] == [4, 4, 3]


# ------------------------------------------------------------------------------------------------------------- quoting
def test_no_interval_of_a_difference_of_two_r_leaves_what_is_possible() -> None:
    """C10's control said -5.137 to 4.181 (three seeds)."""
    apart = Measure("less the same to the bystander", "{:z.3f}", limit=2.0)
    assert apart.interval([-1.9, 0.0, 1.9]) == (-2, 2) and apart.side([-1.9, 0.0, 1.9]) == 0


def test_a_peak_is_at_most_four_r_high_and_a_difference_of_two_r_at_most_two() -> None:
    """Intervals of three seeds that go from one end to the other reach no farther."""
    runs = [
        student("kd", curves(r).assign(weight_norm=5 + noise(seed)), seed=seed, temperature=t, alpha=0.9)
        for seed, sign in enumerate((1, -1, 1))
        for t, r in ((1, -0.99 * sign), (4, 0.99 * sign), (10, -0.99 * sign))
    ]
    found = controls.judge(runs)
    assert found["C4"][0].interval == (-4, 4) and found["C1"][1].interval == (-2, 2)


def test_the_phases_are_those_of_the_first_curve_s_run() -> None:
    first, second = (student(name, history(0, STAIRS, STAIRS)) for name in ("normal", "dist"))
    second.spec = replace(second.spec, drops=(9,))
    (mine,) = of_each_seed([first, second])
    tie = controls.Tie(Students.normal, Students.dist)
    assert tie.curves(mine, mine).drops == first.spec.drops


def test_checks_are_of_claims_and_what_is_quoted_counts_them() -> None:
    found = controls.judge([own(seed) for seed in SEEDS])
    assert set(found) <= {claim.id for claim in paper.CLAIMS}
    assert [len(checks) for checks in found.values()] == [6, 6, 3, 6, 6, 7]
    said = controls.quotable(found)
    assert (said["c1_controls"], said["c2_controls"], said["standing"]) == ("6 of 6 checks", "cannot be said", "1 of 6")
    some = [Check.of(Measure("", "{:.1f}"), 1, values) for values in ([1, 2, 1.5], [-1, 1, 0], [1, 2])]
    assert controls.tally(some) == "1 of 3 checks, 1 open" and not controls.stands(some)
    assert controls.can_be_said(some) and not controls.can_be_said(some[2:])
