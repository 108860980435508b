"""Verdicts on curves planted to agree with the paper, and on the same curves bent against one claim at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest

from kdnb.analysis import curves as read
from kdnb.claims import judge, paper, paper_numbers
from kdnb.runs import Run, RunSpec, Snapshot

EPOCHS = np.arange(1, 241)
SETTLED = np.exp(-np.maximum(EPOCHS - 120, 0) / 10)  # 1 until the warm-up ends, then rapidly to 0
LABELS = np.arange(60) % 6
SPEC = RunSpec(
    role="student", dataset="digits", data_checksum="", model="resnet8", method="normal", method_parameters={},
    init_seed=0, order_seed=0, view_seed=0, epochs=240, batch_size=64, learning_rate=0.05, momentum=0.9, nesterov=True,
    weight_decay=5e-4, drops=(150, 180, 210), drop_factor=0.1, precision="fp32", teacher=None, bystander=None,
    matched_accuracy=0.97, matched_on="clean_accuracy", clean_images=448, teacher_outputs=None,
)  # fmt: skip
NOISE = np.random.default_rng(0).normal(size=(3, 240))


@dataclass
class FakeRun(Run):
    spec: RunSpec = field()
    history: pd.DataFrame = field()
    matched: Snapshot | None

    def snapshot(self, which: str, images: str = "test") -> Snapshot | None:
        return self.matched if which == "matched" else None


def features(spread: float, similarity: float) -> Snapshot:
    """Six classes at right angles around a common direction of length ``similarity``, ``spread`` within."""
    common = similarity * np.ones(8)
    x = 4 * np.eye(8)[LABELS] + common + spread * np.random.default_rng(1).normal(size=(60, 8))
    return Snapshot(x, np.zeros((60, 6)), LABELS, 50)


def r_of(temperature: float) -> float:
    """The paper's Fig. 6: up to T = 4, then down to strongly negative."""
    return 0.9 + 0.02 * temperature if temperature <= 4 else 0.98 - 0.3 * (temperature - 4)


def curves(r: float) -> pd.DataFrame:
    """Histories whose raw mu correlates with the loss at exactly r after the warm-up."""
    loss, other = 1 + SETTLED + 0.001 * NOISE[0], 0.3 * NOISE[1]
    after = EPOCHS > 120
    a, b = (s[after] - s[after].mean() for s in (loss, other))
    b -= a * (a @ b) / (a @ a)
    mixed = np.zeros(240)
    mixed[after] = r * a / np.linalg.norm(a) + np.sqrt(max(1 - r * r, 0)) * b / np.linalg.norm(b)
    mixed[~after] = mixed[after][0]
    mu = 20 + mixed
    return pd.DataFrame(
        {
            "epoch": EPOCHS, "loss": loss, "mu_raw": mu, "bystander_mu_raw": 25 - mixed,
            "classifier_cosine": 0.5 - 0.01 * mixed + 0.0002 * NOISE[2], "test_accuracy": 0.9,
            "feature_cosine": 0.6 + 0.001 * EPOCHS, "feature_cosine_shuffled": 0.5 + 0.0005 * EPOCHS,
            "feature_cosine_centred": 0.001 * EPOCHS,
        }
    )  # fmt: skip


def student(
    method: str, history: pd.DataFrame, matched: Snapshot | None = None, seed: int = 0, **parameters: float
) -> FakeRun:
    return FakeRun(replace(SPEC, method=method, method_parameters=parameters, init_seed=seed), history, matched)


def as_in_the_paper(seed: int = 0) -> list[FakeRun]:
    runs = [student("normal", curves(-0.97), features(2.5, 0), seed)]
    for t in range(1, 11):
        history = curves(r_of(t)).assign(test_accuracy=0.95 - 0.01 * abs(t - 4))
        spread = 1.6 / t if t <= 4 else 0.4 - 0.01 * (t - 4)
        separation = features(spread, 0.05 * t + 0.3 * max(t - 4, 0))
        runs.append(student("kd", history, separation, seed, temperature=float(t), alpha=0.9))
    for alpha, lift in ((0.3, 2), (0.6, 1)):
        history = curves(r_of(4)).assign(mu_raw=lambda table, lift=lift: table.mu_raw + lift)
        runs.append(student("kd", history, None, seed, temperature=4.0, alpha=alpha))
    runs.append(student("dist", curves(r_of(4)), None, seed, temperature=4.0, beta=1.0, gamma=1.0))
    runs.append(student("mse", curves(r_of(10) + 0.01), None, seed, alpha=0.9))
    return runs


def verdict(runs: list[FakeRun], claim: str) -> judge.Verdict:
    return {v.claim.id: v for v in paper.judge(runs)}[claim]


def bent(seed: int = 0, **changes: Callable[[FakeRun], FakeRun]) -> list[FakeRun]:
    """The paper's runs, with those of the labels named (e.g. kd_T4, normal) changed."""
    names = {run.spec.label.replace(" ", "_").replace("=", "").lower() for run in as_in_the_paper()}
    assert set(changes) <= names
    runs = as_in_the_paper(seed)
    keys = [run.spec.label.replace(" ", "_").replace("=", "").lower() for run in runs]
    return [changes.get(key, lambda run: run)(run) for key, run in zip(keys, runs, strict=True)]


def column(name: str, values: Callable[[pd.DataFrame], object]) -> Callable[[FakeRun], FakeRun]:
    return lambda run: replace(run, history=run.history.assign(**{name: values}))


def with_r(r: float) -> Callable[[FakeRun], FakeRun]:
    return lambda run: replace(run, history=curves(r))


def with_features(spread: float, similarity: float) -> Callable[[FakeRun], FakeRun]:
    return lambda run: replace(run, matched=features(spread, similarity))


def test_the_papers_own_curves_reproduce_every_claim() -> None:
    judged = paper.judge(as_in_the_paper())
    assert [v.claim.id for v in judged] == [f"C{i}" for i in range(1, 12)]
    assert {v.claim.id: v.verdict for v in judged} == {v.claim.id: "found here too" for v in judged}
    assert all(v.evidence["n"] == 1 and set(v.parts.values()) == {1} for v in judged)
    assert [v.claim.id for v in judged if v.claim.sentence.format(**v.evidence)] == ["C9", "C10"]  # which chapters say


@pytest.mark.parametrize(
    ("claim", "changes", "expected"),
    [
        ("C1", {"kd_t4": with_r(0.5)}, "partly"),
        ("C1", {"kd_t4": with_r(-0.1)}, "not found here"),
        ("C2", {"normal": with_r(-0.5)}, "partly"),
        ("C2", {"normal": with_r(0.9)}, "not found here"),
        ("C3", {"kd_t4": column("mu_raw", lambda h: 40 - h.epoch / 32)}, "partly"),  # a little, but it never settles
        ("C3", {"kd_t4": column("mu_raw", lambda h: 40 - h.epoch / 8)}, "not found here"),
        ("C3", {"kd_t4": column("mu_raw", lambda h: 40 + h.epoch / 8)}, "not found here"),
        ("C4", {"kd_t8": with_r(0.99)}, "partly"),
        ("C4", {f"kd_t{t}": with_r(0.9 + 0.001 * t) for t in range(1, 11)}, "not found here"),
        ("C5", {"mse": with_r(0.1)}, "not found here"),
        ("C5", {"mse": column("mu_raw", lambda h: h.mu_raw + 5)}, "partly"),
        ("C6", {"normal": with_features(0.1, 0)}, "partly"),
        (
            "C6",
            {"normal": with_features(0.1, 0), "kd_t9": with_features(0.1, 0), "kd_t10": with_features(3, 0)},
            "not found here",
        ),
        (
            "C7",
            {"normal": column("feature_cosine", lambda h: np.where(h.epoch < 236, 0.9 - h.epoch / 999, 1))},
            "partly",
        ),
        ("C7", {"normal": column("feature_cosine", lambda h: 0.9 - h.epoch / 999)}, "not found here"),
        ("C8", {"dist": with_r(0.3)}, "partly"),
        ("C8", {"dist": with_r(-0.9)}, "not found here"),
        ("C10", {"kd_t4": column("classifier_cosine", lambda h: 1 - h.mu_raw / 50)}, "partly"),
        ("C10", {"kd_t4": column("classifier_cosine", lambda h: np.exp(-h.epoch / 20))}, "not found here"),
        ("C11", {"kd_t7": column("test_accuracy", lambda h: 0.953)}, "partly"),
        ("C11", {"kd_t7": column("test_accuracy", lambda h: 0.96)}, "not found here"),
    ],
)
def test_curves_bent_against_a_claim_lose_it(claim: str, changes: dict, expected: str) -> None:
    assert verdict(bent(**changes), claim).verdict == expected


def test_alpha_that_does_not_lower_mu_or_bends_its_shape() -> None:
    runs = as_in_the_paper()
    for run in runs:
        alpha = run.spec.method_parameters.get("alpha", 0.9)
        run.history = run.history.assign(mu_raw=lambda table, alpha=alpha: table.mu_raw + 10 * alpha)
    assert verdict(runs, "C9").verdict == "partly"
    lowest = next(r for r in runs if r.spec.method_parameters.get("alpha") == 0.3)
    lowest.history = curves(-0.5)
    assert verdict(runs, "C9").verdict == "not found here"


def test_the_numbers_are_those_of_the_runs() -> None:
    runs = as_in_the_paper()
    kd = next(r for r in runs if r.spec.label == "KD T=4").history
    found = verdict(runs, "C1")
    assert found.evidence["r"] == pytest.approx(np.corrcoef(kd["mu_raw"][120:], kd["loss"][120:])[0, 1], rel=1e-12)
    assert found.evidence["r"] == pytest.approx(0.98, abs=1e-9)
    assert found.evidence["r_bystander"] == pytest.approx(-0.98, abs=1e-9)
    peak = verdict(runs, "C4").evidence
    assert (peak["peak"], peak["r_first"], peak["r_last"]) == (4, pytest.approx(0.92), pytest.approx(-0.82))
    assert verdict(runs, "C11").evidence["lead"] == pytest.approx(1)  # percentage points


@pytest.mark.parametrize(
    ("r", "holds"),
    [
        ({1: 0.1, 2: 0.9, 4: 0.5, 6: 0.2, 10: -0.8}, (False, True)),  # two T up to the peak are in order by arithmetic
        ({1: 0.1, 2: 0.2, 4: 0.5, 6: 0.9, 10: -0.8}, (True, False)),
        ({1: 0.1, 2: 0.2, 4: 0.9, 6: 0.3, 10: -0.8}, (True, True)),
    ],
)
def test_a_rise_to_the_peak_takes_more_than_two_temperatures(r: dict[float, float], holds: tuple[bool, bool]) -> None:
    (claim,) = [one for one in paper.CLAIMS if one.id == "C4"]
    parts = claim.parts(paper_numbers.peak_of(r))
    assert tuple(part for name, part in parts.items() if "before" in name or "after" in name) == holds


def test_a_claim_is_only_as_good_as_its_weakest_seed() -> None:
    both = [*as_in_the_paper(0), *bent(1, kd_t4=with_r(-0.5))]
    found = verdict(both, "C1")
    assert found.verdict == "partly"
    assert found.parts == {"r is positive": 1, "r is strong (≥ 0.9)": 1}
    r = np.tanh((np.arctanh(0.98) - np.arctanh(0.5)) / 2)  # a mean on Fisher's scale
    assert found.evidence == pytest.approx({"r": r, "r_bystander": -r, "n": 2})
    assert verdict([*as_in_the_paper(0), *as_in_the_paper(1)], "C1").verdict == "found here too"
    assert verdict([*bent(0, kd_t4=with_r(-0.5)), *bent(1, kd_t4=with_r(-0.6))], "C1").verdict == "not found here"


def test_a_seed_that_lacks_the_runs_is_not_counted() -> None:
    only_normal = [run for run in as_in_the_paper(1) if run.spec.method == "normal"]
    runs = [*as_in_the_paper(0), *only_normal]
    assert (verdict(runs, "C1").evidence["n"], verdict(runs, "C2").evidence["n"]) == (1, 2)


@pytest.mark.parametrize(
    ("kept", "claim", "words"),
    [
        (lambda run: False, "C1", "at least one student"),
        (lambda run: run.spec.label != "KD T=4", "C1", "KD at T=4, alpha 0.9"),
        (lambda run: run.spec.method != "normal", "C2", "normal training"),
        (
            lambda run: run.spec.label in ("KD T=1", "KD T=4", "KD T=10"),
            "C4",
            "at least 5 temperatures (there: 1, 4, 10)",
        ),
        (lambda run: run.spec.method != "mse", "C5", "MSE at alpha 0.9"),
        (lambda run: run.spec.method != "dist", "C8", "DIST"),
        (lambda run: run.spec.method_parameters.get("alpha") == 0.9, "C9", "3 values of alpha above 0 (there: 0.9)"),
    ],
)
def test_without_its_runs_a_claim_is_not_testable_and_says_what_it_needs(
    kept: Callable[[FakeRun], bool], claim: str, words: str
) -> None:
    found = verdict([run for run in as_in_the_paper() if kept(run)], claim)
    assert (found.verdict, found.evidence, found.parts) == ("not testable", {"n": 0}, {})
    assert words in found.missing


def test_a_student_that_never_reached_the_matched_accuracy_leaves_c6_untested() -> None:
    found = verdict(bent(kd_t10=lambda run: replace(run, matched=None)), "C6")
    assert found.verdict == "not testable" and "KD T=10 at matched accuracy" in found.missing


def test_a_constant_mu_and_a_run_without_bystander_are_no_accident() -> None:
    assert "not constant" in verdict(bent(normal=column("mu_raw", lambda h: 3.0)), "C2").missing
    alone = bent(kd_t4=lambda run: replace(run, history=run.history.drop(columns="bystander_mu_raw")))
    assert verdict(alone, "C1").verdict == "found here too"
    assert np.isnan(verdict(alone, "C1").evidence["r_bystander"])


@pytest.mark.parametrize("field", ["dataset", "weight_decay"])
def test_runs_of_several_studies_are_not_judged_together(field: str) -> None:
    runs = as_in_the_paper()
    runs[0].spec = replace(runs[0].spec, **{field: {"dataset": "cifar100", "weight_decay": 0.0}[field]})
    with pytest.raises(ValueError, match=f"several values of {field}"):
        paper.judge(runs)


def test_teachers_are_no_students() -> None:
    teacher = student("normal", curves(0.5))
    teacher.spec = replace(teacher.spec, role="teacher", weight_decay=1e-4)
    assert verdict([*as_in_the_paper(), teacher], "C2").evidence["n"] == 1


def test_the_window_scales_with_the_length_of_the_run() -> None:
    history = pd.DataFrame({"epoch": np.arange(1, 61), "mu_raw": np.arange(60.0)})
    short = FakeRun(replace(SPEC, epochs=60), history, None)
    assert read.window(short)["epoch"].tolist() == list(range(31, 61))
    assert read.level(short, "mu_raw", 1) == 59  # 5 of 240 epochs is 1 of 60
    full = student("normal", pd.DataFrame({"epoch": EPOCHS, "mu_raw": EPOCHS}))
    assert read.window(full)["epoch"].iloc[0] == 121
    assert read.level(full, "mu_raw", 1 / 2) == np.mean([116, 117, 118, 119, 120])
    assert read.level(full, "mu_raw", 1 / 48) == 3


def test_roughness_leaves_out_the_jump_at_a_drop_and_ignores_scale() -> None:
    run = student("normal", pd.DataFrame({"epoch": EPOCHS}))
    noise = np.random.default_rng(3).normal(size=120)
    step = np.where(np.arange(121, 241) > 150, 0.0, 50.0)
    kept = [i for i in range(119) if 121 + i not in (150, 180, 210)]
    expected = np.std(np.diff(noise + step)[kept]) / np.std(noise + step)
    assert read.roughness(run, noise + step) == pytest.approx(expected)
    assert read.roughness(run, 7 * (noise + step) + 3) == pytest.approx(expected)
    assert np.diff(noise + step).std() > 2 * np.diff(noise + step)[kept].std()


def test_numbers_are_kept_seed_by_seed_and_each_has_its_words() -> None:
    both = [*as_in_the_paper(0), *bent(4, kd_t4=with_r(-0.5))]
    for claim, found in zip(paper.CLAIMS, paper.judge(both), strict=True):
        assert list(found.seeds) == [0, 4]
        assert list(found.values) == list(claim.measures) and set(claim.quoted) <= set(claim.measures)
        for name, values in found.values.items():
            of_correlations = claim.measures[name].kind == "correlation" and max(map(abs, values)) < 1
            mean = np.tanh(np.arctanh(values).mean()) if of_correlations else np.mean(values)
            assert found.evidence[name] == pytest.approx(mean, nan_ok=True)
    assert list(verdict(both, "C1").values["r"]) == pytest.approx([0.98, -0.5])
    assert not verdict([], "C1").seeds and not verdict([], "C1").values


def test_of_a_curve_at_zero_no_share_falls() -> None:
    """A student frozen at W_t: its mu is 0 throughout."""
    still = student("frozen", curves(0.9).assign(mu_raw=0.0), temperature=4.0, alpha=0.9)
    assert np.isnan(read.fall(still))
    assert read.fall(still, "loss") > 0
