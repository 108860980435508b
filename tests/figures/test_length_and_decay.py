"""Why the classifier grows or shrinks, r under other weight decays, and the scale of logits: by hand, and planted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up import SPEC, kd, rounded, store, write

from kdnb import methods, paths, runs
from kdnb.analysis import norms, selection
from kdnb.analysis.selection import ChapterParameters
from kdnb.analysis.study import Study
from kdnb.figures.correlation import decays, lengths, logit_scale
from kdnb.runs import Run, RunSpec

CAUSES = ("ce", "kd", "decay")
HALF = 12  # of 24 epochs


def booked(folder: Path, spec: RunSpec, seed: int = 0) -> Run:
    """A run whose account of ||W_s||^2 balances: after half of the epochs it falls for T below 3, else it rises."""
    run = write(folder, replace(spec, init_seed=seed))
    rng = np.random.default_rng(seed)
    pulls = {f"length_pull_{cause}": rng.normal(size=24) for cause in CAUSES}
    cold = spec.method_parameters.get("temperature", 9) < 3
    pulls["length_pull_decay"] = pulls["length_pull_decay"] - (3 if cold else -3)
    spread = rng.random(24)
    squared = 900 + np.cumsum(sum(pulls.values()) + spread)
    table = run.history.assign(**pulls, spread=spread, weight_norm=np.sqrt(squared))
    table.to_parquet(run.path / "history.parquet", index=False)
    return Run(run.path)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    for spec in (SPEC, kd(1), kd(2), kd(4)):
        for seed in range(1 if spec == kd(2) else 3):
            booked(tmp_path, spec, seed)
    return selection.load(ChapterParameters(output_dir=str(tmp_path)))


# ---------------------------------------------------------------------------------------------------------- the length
def test_of_published_runs_the_causes_add_up_to_what_the_length_changed() -> None:
    """Over the epochs that r is of, from the norms as recorded; the account's rounding aside."""
    every = [run for name in ("digits", "cifar100-small") for run in runs.find(paths.results(name), role="student")]
    kept = [run for run in every if "length_pull_decay" in run.history and run.spec.method in ("normal", "kd")]
    assert len(kept) > 40
    for run in kept:
        study = Study(students=[run], every=[run], name="x", folder=run.path.parent, warm_up=run.spec.epochs // 2)
        squared = run.history["weight_norm"].to_numpy(float)[run.spec.epochs // 2 :] ** 2
        (moved,) = lengths.causes(study)[run.label]
        assert sum(moved.values()) == pytest.approx(squared[-1] - squared[0], abs=1e-5 * squared.max()), run.path.name


def test_the_bars_are_means_over_seeds_and_the_marker_is_the_measured_change(study: Study) -> None:
    fig = lengths.balance(study).figure
    after = {label: [run.history.iloc[HALF + 1 :] for run in group] for label, group in study.groups.items()}
    bars = {bar.name: list(bar.y) for bar in fig.data if bar.type == "bar"}
    for cause, name in (("ce", "cross-entropy"), ("kd", "distillation (KD)"), ("decay", "weight decay")):
        by_hand = [np.mean([table[f"length_pull_{cause}"].sum() for table in tables]) for tables in after.values()]
        assert bars[name] == rounded(by_hand)
    changes = [
        np.mean(
            [run.history["weight_norm"].iloc[-1] ** 2 - run.history["weight_norm"].iloc[HALF] ** 2 for run in group]
        )
        for group in study.groups.values()
    ]
    (marker,) = (trace for trace in fig.data if trace.name == "sum")
    (alone,) = (trace for trace in fig.data if trace.name == "all together" and trace.text is not None)
    assert list(marker.x) == list(alone.x) == ["normal", "T=1", "T=2", "T=4"]
    assert list(marker.y) == pytest.approx(changes, rel=1e-3) and list(alone.y) == pytest.approx(changes, rel=1e-3)
    assert np.isfinite(alone.error_y.array[0]) and alone.error_y.array[2] is None  # of one seed


def test_it_is_said_at_which_t_the_length_shrinks_and_what_outweighs_what(study: Study) -> None:
    said = lengths.balance(study).answer
    assert "outweighs all else: at T = 1 and 2, of 3 temperatures" in said and said.endswith("(1 to 3 seeds).**")
    tables = [run.history.iloc[HALF + 1 :] for run in study.groups["KD T=4"]]
    decay = np.mean([table["length_pull_decay"].sum() for table in tables])
    assert f"at T = 4: weight decay {decay:+.3g}, " in said


def test_without_an_account_or_two_epochs_it_cannot_be_told(study: Study, tmp_path: Path) -> None:
    bare = store(tmp_path / "bare")
    for one in (bare, replace(study, warm_up=23)):
        assert "cannot be told" in lengths.balance(one).answer
    assert lengths.balance(bare).figure is None


# ------------------------------------------------------------------------------------------------------- weight decay
def planted(folder: Path, spec: RunSpec, sign: int, seed: int) -> None:
    """mu and its norm go with the loss (sign 1) or against it; the bystander's mu does so with a little noise."""
    run = write(folder, replace(spec, init_seed=seed))
    rng = np.random.default_rng(seed)
    loss = 5 - 0.1 * np.arange(24) + 0.01 * rng.random(24)
    mu = 9 + sign * loss + 0.05 * rng.random(24)
    table = run.history.assign(loss=loss, mu_raw=mu, weight_norm=mu, bystander_mu_raw=mu + 0.1 * rng.random(24))
    table.to_parquet(run.path / "history.parquet", index=False)


DECAYS = {0.0: -1, 5e-4: -1, 2e-3: 1}


@pytest.fixture
def decayed(tmp_path: Path) -> Study:
    """Three seeds of each decay; one more temperature and one more seed at one place each, which are no step."""
    for decay, sign in DECAYS.items():
        for spec in (SPEC, kd(1), kd(4)):
            for seed in range(3):
                planted(tmp_path, replace(spec, weight_decay=decay), sign, seed)
    planted(tmp_path, kd(10), 1, 0)
    planted(tmp_path, kd(4), 1, 3)
    planted(tmp_path, replace(kd(4), weight_decay=1e-2), 1, 0)  # a lone one is no line
    return selection.load(ChapterParameters(output_dir=str(tmp_path)))


def test_decays_are_compared_on_students_and_seeds_that_they_have(decayed: Study) -> None:
    found = norms.by_decay(decayed)
    assert list(found) == list(DECAYS)
    for decay, groups in found.items():
        assert list(groups) == ["normal", "KD T=1", "KD T=4"]
        for group in groups.values():
            assert [run.spec.init_seed for run in group] == [0, 1, 2]
            assert {run.spec.weight_decay for run in group} == {decay}


def test_r_by_decay_is_pearsons_over_seeds_with_rings_of_the_bystander_and_the_norm(decayed: Study) -> None:
    fig = decays.r_by_decay(decayed).figure
    groups = norms.by_decay(decayed)[2e-3]

    def by_hand(column: str) -> list[float]:
        return [np.tanh(np.mean([np.arctanh(r(run, column)) for run in group])) for group in groups.values()]

    means = [trace for trace in fig.data if trace.legendgroup == "weight decay 0.002" and trace.text is not None]
    assert [trace.marker.symbol for trace in means] == ["circle", "circle-open", "diamond-open"]
    for trace, column in zip(means, ("mu_raw", "bystander_mu_raw", "weight_norm"), strict=True):
        assert list(trace.y) == pytest.approx(by_hand(column), abs=1e-3)
    assert np.isfinite(means[0].error_y.array).all() and [trace.name for trace in fig.data if trace.showlegend] == [
        f"weight decay {decay:g}" for decay in DECAYS
    ]


def r(run: Run, column: str) -> float:
    return float(np.corrcoef(run.history[column][HALF:], run.history["loss"][HALF:])[0, 1])


def test_it_is_said_with_which_decay_r_is_positive_and_how_far_the_bystanders_is(decayed: Study) -> None:
    said = decays.r_by_decay(decayed).answer
    assert (
        "of 0.002 r is positive at every T (3 seeds), with 0.0005 at none (3 seeds), without at none (3 seeds); "
        in said
    )
    means = {
        column: [np.tanh(np.mean([np.arctanh(r(run, column)) for run in group])) for group in groups.values()]
        for groups in [norms.by_decay(decayed)[2e-3]]
        for column in ("mu_raw", "bystander_mu_raw")
    }
    gaps = np.abs(np.subtract(means["mu_raw"], means["bystander_mu_raw"]))
    here = f"{means['mu_raw'][2]:+.2f}"
    assert decays.brief(decayed).startswith(f"at T = 4 r is {here} with a weight decay of 0.002 and ")
    assert f"at T = 4 it is {here}, " in said and f"differs by at most {max(gaps):.3f}" in said


def test_where_a_student_has_no_bystander_nothing_is_said_of_it(decayed: Study) -> None:
    for run in norms.by_decay(decayed)[0.0]["KD T=4"]:
        run.history.drop(columns="bystander_mu_raw").to_parquet(run.path / "history.parquet", index=False)
    said = decays.r_by_decay(selection.load(ChapterParameters(output_dir=str(decayed.folder)))).answer
    assert said.startswith("**With a weight decay") and "bystander" not in said and "nan" not in said


def test_decays_without_a_temperature_or_a_seed_in_common_compare_nothing(tmp_path: Path) -> None:
    store(tmp_path, [SPEC, kd(1), kd(4)])
    for temperature, seed in ((1, 0), (4, 1)):  # no seed has both
        write(tmp_path, replace(kd(temperature), weight_decay=1e-3, init_seed=seed))
    write(tmp_path, replace(SPEC, weight_decay=1e-3))
    found = selection.load(ChapterParameters(output_dir=str(tmp_path)))
    assert list(norms.by_decay(found)) == [5e-4] and "cannot be told" in decays.r_by_decay(found).answer
    for temperature in (2, 10):
        write(tmp_path, replace(kd(temperature), weight_decay=2e-3))
    found = selection.load(ChapterParameters(output_dir=str(tmp_path)))
    assert norms.by_decay(found) == {} and "cannot be told" in decays.r_by_decay(found).answer


def test_one_weight_decay_turns_nothing(tmp_path: Path) -> None:
    made = decays.r_by_decay(store(tmp_path))
    assert made.figure is None and made.answer.startswith("**Whether weight decay turns r cannot be told")


def test_from_three_seeds_on_the_whole_interval_has_to_be_positive(decayed: Study) -> None:
    """A seed whose r is the other way: the mean stays above zero, and it is no longer said."""
    planted(decayed.folder, replace(kd(4), weight_decay=2e-3), -1, 2)
    again = selection.load(ChapterParameters(output_dir=str(decayed.folder)))
    mine = decays.read(again, norms.by_decay(again)[2e-3])["mu_raw"]["KD T=4"]
    assert mine.mean > 0 > mine.low
    assert "of 0.002 r is positive at T = 1 (3 seeds), " in decays.r_by_decay(again).answer


# ------------------------------------------------------------------------------------------------ the scale of logits
RATIO = {"normal": 0.5, "KD T=1": 0.7, "KD T=4": 1.04}  # without decay; with each step of it 0.1 less, but for T = 4


def wide(folder: Path, spec: RunSpec, seed: int, step: int) -> None:
    """The scale of RATIO in the last epoch; afterwards ||W_s|| grows, and features shrink but with the most decay."""
    run, rng = write(folder, replace(spec, init_seed=seed)), np.random.default_rng(seed)
    ratio = RATIO.get(spec.label, 1.0) - (0.1 * step if spec.label != "KD T=4" else 0.0) + 0.001 * seed
    late = np.arange(24) / 24
    table = run.history.assign(
        reference_logit_std=2.0,
        logit_std=[*rng.random(23), 2 * ratio],
        weight_norm=5 + late + 0.01 * seed,
        feature_norm=5 + (late if step == 2 else -late),
    )
    table.to_parquet(run.path / "history.parquet", index=False)


@pytest.fixture
def scaled(tmp_path: Path) -> Study:
    for step, decay in enumerate((0.0, 5e-4, 2e-3)):
        for spec in (SPEC, kd(1), kd(4)):
            for seed in range(3):
                wide(tmp_path, replace(spec, weight_decay=decay), seed, step)
    return selection.load(ChapterParameters(output_dir=str(tmp_path)))


def test_a_scale_that_is_held_under_every_decay_is_told_apart_from_one_that_is_not(scaled: Study) -> None:
    made = logit_scale.by_temperature(scaled)
    assert made.answer == (
        "**Students' logits have the scale of their teacher's, within 5%, at T = 4, whatever the weight decay "
        f"(0, 0.0005 and 0.002); in 2 of 3 means there {logit_scale.NORM} grows where features shrink, or shrinks "
        "where they grow; at T = 1 it is 0.50 to 0.70 times that; in normal training it is 0.30 to 0.50 times that.**"
    )
    wider = scaled.groups["KD T=4"][0]
    last = wider.history.assign(logit_std=3.0)
    last.to_parquet(wider.path / "history.parquet", index=False)
    again = logit_scale.by_temperature(selection.load(ChapterParameters(output_dir=str(scaled.folder)))).answer
    assert "at no T; " in again and "means there" not in again  # one decay of three has let go


def test_where_the_classifier_is_frozen_it_is_told_whether_features_keep_their_length(scaled: Study) -> None:
    """At W_t they do under every decay, at W_o under one of three; KD's are named for the same T and decays."""
    kept = {("frozen", 0.0): 0.002, ("frozen", 5e-4): -0.004, ("frozen", 2e-3): 0.009}
    gone = {("foreign", 0.0): -0.008, ("foreign", 5e-4): 0.05, ("foreign", 2e-3): -0.02}
    for (method, decay), change in (kept | gone).items():
        full = methods.parameters_of(methods.create(method, {}))
        spec = replace(SPEC, method=method, method_parameters=full, weight_decay=decay)
        for seed in range(3):
            wide(scaled.folder, spec, seed, 1)
            run = Run(scaled.folder / replace(spec, init_seed=seed).name)
            moved = np.where(np.arange(24) < 23, 5.0, 5 * (1 + change + 1e-4 * (seed - 1)))
            run.history.assign(feature_norm=moved).to_parquet(run.path / "history.parquet", index=False)
    made = logit_scale.by_temperature(selection.load(ChapterParameters(output_dir=str(scaled.folder))))
    start, end = 5 + HALF / 24, 5 + 23 / 24
    shrinks = (10 - end) / (10 - start) - 1
    said = f"in 4 of 6 means (-2.0% to +5.0%); that of KD T=4 changes by {shrinks:+.1%} to {end / start - 1:+.1%}, and"
    assert said.replace("-", "−") in made.answer
    all_of = "leaves out zero for 6 of 6 (all with a weight decay of 0, 0.0005 and 0.002), beyond chance.**"
    assert made.answer.endswith(all_of)
    mine = [trace for trace in made.figure.data if trace.legendgroup == "weight decay 0.002" and trace.text is not None]
    scale, beside, features, _ = mine
    assert list(scale.x) == ["normal", "T=1", "T=4"] and scale.mode == "lines+markers"
    assert list(beside.x) == ["W<sub>t</sub> frozen", "W<sub>o</sub> frozen"] and beside.mode == "markers"
    places = dict(zip(features.x, features.y, strict=True))
    assert places["W<sub>t</sub> frozen"] == pytest.approx(0.009, rel=1e-2)
    assert places["W<sub>o</sub> frozen"] == pytest.approx(-0.02, rel=1e-2)


def test_scales_and_changes_are_drawn_as_they_are_stored(scaled: Study) -> None:
    fig = logit_scale.by_temperature(scaled).figure
    mine = [trace for trace in fig.data if trace.legendgroup == "weight decay 0.002" and trace.text is not None]
    ratio, features, norm = mine
    assert list(ratio.x) == ["normal", "T=1", "T=4"] and list(ratio.y) == pytest.approx([0.301, 0.501, 1.041])
    assert ratio.error_y.array[0] > 0 and [one.yaxis for one in mine] == ["y", "y2", "y2"]
    start, end = 5 + HALF / 24, 5 + 23 / 24
    assert list(features.y) == pytest.approx([end / start - 1] * 3, rel=1e-3)
    seeds = [(end + 0.01 * seed) / (start + 0.01 * seed) - 1 for seed in range(3)]
    assert list(norm.y) == pytest.approx([np.mean(seeds)] * 3, rel=1e-3)
    named = [f"weight decay {decay:g}" for decay in (0, 5e-4, 2e-3)]
    assert [trace.name for trace in fig.data if trace.showlegend] == named


def test_students_of_one_decay_are_told_with_all_their_seeds(tmp_path: Path) -> None:
    for spec, seeds in ((SPEC, 1), (kd(1), 2), (kd(4), 3)):
        for seed in range(seeds):
            wide(tmp_path, spec, seed, 1)
    made = logit_scale.by_temperature(selection.load(ChapterParameters(output_dir=str(tmp_path))))
    _, means, *_ = made.figure.data
    assert [text[-6:] for text in means.text] == [f"n\u00a0=\u00a0{seeds})" for seeds in (1, 2, 3)]
    assert "whatever" not in made.answer and "at T = 1 it is 0.60 times that; " in made.answer


def test_without_scales_nothing_is_told_of_them(tmp_path: Path) -> None:
    made = logit_scale.by_temperature(store(tmp_path))
    assert made.figure is None and "cannot be told" in made.answer
