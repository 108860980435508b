"""Every dot is a run's r, every bar Student's over seeds, every sentence counts what is drawn."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from drawable import drawable
from made_up import SPEC, kd, rounded, steps, store, write
from scipy import stats as scipy_stats

from kdnb.analysis import correlations, mismatched_pairs, r_over_seeds
from kdnb.analysis.correlations import READINGS, SIDES
from kdnb.analysis.over_seeds import estimate, more_than_chance, off_zero
from kdnb.analysis.r_over_seeds import Measured
from kdnb.figures import intervals
from kdnb.figures.statistics import mismatched, over_seeds, warm_ups
from kdnb.files import write_atomically
from kdnb.runs import Run

LONG = {"epochs": 48, "drops": (30, 36, 42)}  # phases of six epochs after the warm-up
SPECS = [replace(spec, init_seed=seed, **LONG) for spec in (SPEC, kd(4)) for seed in range(4)]
PLANTED = {"KD T=4": 1, "normal": -1}  # mu of the one goes with its own loss, mu of the other against it


def plant(run: Run) -> None:
    """mu tied to the run's own loss; the bystander's mu is noise."""
    noise = np.random.default_rng(run.spec.init_seed).normal(size=(4, run.spec.epochs))
    table = run.history.assign(loss=5 + noise[0], weight_norm=3 + 0.01 * noise[3], bystander_mu_raw=9 + noise[2])
    table["mu_raw"] = 9 + PLANTED[run.label] * noise[0] + 0.3 * noise[1]
    write_atomically(run.path / "history.parquet", lambda file: table.to_parquet(file, index=False))
    del run.history


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Measured]:
    """Two students of four seeds, tied to their own loss; and a study of one seed."""
    root = tmp_path_factory.mktemp("studies")
    many, one = store(root / "many", SPECS), store(root / "one", [SPEC, kd(4)])
    for run in many.every:
        plant(run)
    return r_over_seeds.measured({"many": many, "one": one})


def r(run: Run, column: str = "mu_raw", cut: int = 24, loss: pd.DataFrame | None = None) -> float:
    other = run.history if loss is None else loss
    return float(np.corrcoef(run.history[column][cut:], other["loss"][cut:])[0, 1])


def by_label(one: Measured) -> dict[str, list[Run]]:
    return {label: [run for run in one.study.every if run.label == label] for label in ("normal", "KD T=4")}


def interval(values: Sequence[float]) -> tuple[float, float]:
    return scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)


# -------------------------------------------------------------------------------------------------------------- seeds
def test_r_of_a_student_is_the_mean_on_fishers_scale_with_students_interval(found: list[Measured]) -> None:
    for label, mine in by_label(found[0]).items():
        z = np.arctanh([r(run) for run in mine])
        shown = found[0].of(label, "mu_raw")
        assert shown.values == pytest.approx([r(run) for run in mine])
        assert (shown.mean, shown.low, shown.high) == pytest.approx((np.tanh(z.mean()), *np.tanh(interval(z))))


def test_the_difference_is_paired_by_run(found: list[Measured]) -> None:
    dots, means = over_seeds._differences(found[0]).data
    gaps = [[r(run) - r(run, "bystander_mu_raw") for run in mine] for mine in by_label(found[0]).values()]
    assert list(dots.y) == pytest.approx([gap for mine in gaps for gap in mine], rel=1e-3)
    assert means.y == pytest.approx([np.mean(mine) for mine in gaps], rel=1e-3)
    ends = [np.mean(mine) + bar for mine, bar in zip(gaps, means.error_y.array, strict=True)]
    assert ends == pytest.approx([interval(mine)[1] for mine in gaps], rel=1e-3)


def test_each_reading_has_its_panel(found: list[Measured]) -> None:
    fig = over_seeds._readings(found[0])
    assert [note.text.lower() for note in fig.layout.annotations[:5]] == [name.lower() for name in READINGS]
    run = by_label(found[0])["normal"][2]
    curves = correlations.of_run(run, 24)
    shown = [list(fig.data[2 * k].y)[2] for k in range(5)]
    assert shown == rounded([reading(curves) for reading in READINGS.values()])


def test_the_sentences_count_students_whose_interval_leaves_out_zero(found: list[Measured]) -> None:
    made = over_seeds.differences(found)
    text = made.answer
    sides = {label: found[0].difference(label).side for label in by_label(found[0])}
    assert sides == {"normal": -1, "KD T=4": 1}
    assert text.startswith("**Many: yes; ") and text == f"**Many: {over_seeds.difference_sentence(found[0])}**"
    assert "leaves out zero for 2 of 2 students (above it KD T=4; below it normal)" in text
    assert made.says == "one: it cannot be told, since no student has an r after the warm-up on 3 seeds."
    gaps = [np.mean([r(run) - r(run, "bystander_mu_raw") for run in mine]) for mine in by_label(found[0]).values()]
    assert f"is {np.median(np.abs(gaps)):.3f} at the median" in text and f"{max(np.abs(gaps)):.2f} at most" in text
    kept = over_seeds.readings_sentence(found[0])
    assert "leaves out zero for 2 of 2 students" in kept
    assert kept.startswith("2 of 2 r keep their sign") and kept.count(" 2 do ") == 3


def test_a_clock_stands_beside_r_in_size_and_the_epochs_that_count(found: list[Measured]) -> None:
    """Medians over runs; the clock has no part in what keeps its sign."""
    runs = [run for mine in by_label(found[0]).values() for run in mine]
    clock = [np.corrcoef(-run.history["epoch"][24:], run.history["loss"][24:])[0, 1] for run in runs]
    sizes = []
    for run in runs:
        after = run.history[["mu_raw", "loss"]][24:].to_numpy()
        rest = after - after.mean(0)
        a, b = (np.correlate(one, one, "full")[24] / np.correlate(one, one)[0] for one in rest.T)
        sizes.append(24 * (1 - a * b) / (1 + a * b))
    said = over_seeds.readings_sentence(found[0])
    assert f"in size r is {np.median(np.abs([r(run) for run in runs])):.2f} at the median" in said
    assert f"minus the epoch in μ's place {np.median(np.abs(clock)):.2f}; 24 epochs count as" in said
    assert said.endswith(f" count as {np.median(sizes):.0f}.")


@pytest.mark.parametrize(
    ("off", "of", "more"), [(1, 13, False), (3, 13, True), (0, 13, False), (1, 1, True), (0, 0, False)]
)
def test_one_interval_of_thirteen_is_no_more_than_chance(off: int, of: int, more: bool) -> None:
    """One in twenty leaves out zero by chance: one of 13 or more has p = 0.49, three or more p = 0.02."""
    clear, not_clear = estimate([1.0, 1.1, 1.2]), estimate([-1.0, 0.0, 1.0])
    assert more_than_chance([clear] * off + [not_clear] * (of - off)) is more


def test_a_count_of_intervals_says_whether_chance_explains_it() -> None:
    """Of one side alone one in forty leaves out zero: 1 of 2 has p = 0.049, on either side 0.098."""
    up, down, open_ = estimate([1.0, 1.1, 1.2]), estimate([-1.0, -1.1, -1.2]), estimate([-1.0, 0.0, 1.0])
    assert off_zero([up, down, *[open_] * 6], "student") == "2 of 8 students, no more than chance"
    assert off_zero([up, down, *[open_] * 5], "student") == "2 of 7 students, beyond chance"
    assert [off_zero([up, open_], side=side) for side in (None, 1, -1)] == [
        "1 of 2, no more than chance",
        "1 of 2, beyond chance",
        "0 of 2",
    ]
    assert off_zero([up], "seed") == "1 of 1 seed"
    assert intervals.off_zero({"a": up, "b": open_, "c": down}) == "2 of 3 (above it a; below it c), beyond chance"


def test_a_reading_that_turns_its_sign_is_counted_as_the_other(found: list[Measured]) -> None:
    table = found[0].table.copy()
    mine = table["label"] == "normal"
    table.loc[mine, "changes"] *= -1
    table.loc[mine, "within phases"] = [0.1, -0.2, 0.05, 0.0]
    text = over_seeds.readings_sentence(replace(found[0], table=table))
    assert "1 does of the *changes* and normal turns" in text and text.startswith("1 of 2 r keep their sign")
    assert "1 does *within phases*" in text


def test_a_reading_that_no_run_has_cannot_be_told_and_its_panel_says_so(found: list[Measured]) -> None:
    """Phases of two epochs have no r of their own."""
    label = found[0].labels[0]
    table = found[0].table.assign(**{"within phases": np.nan})
    some = table["label"].eq(label) & table["seed"].lt(2)
    table["changes"] = table["changes"].where(~some)
    one = replace(found[0], table=table)
    text = over_seeds.readings_sentence(one)
    assert "none can be told *within phases*, 1 of 1 does of the *changes*" in text
    said = [note.text for note in over_seeds.readings([one]).figures[0].layout.annotations]
    assert said.count("cannot be told: no run has epochs enough") == 1


def test_two_seeds_have_no_interval_and_nothing_is_said_of_them(found: list[Measured]) -> None:
    one = replace(found[0], table=found[0].table[found[0].table["seed"] < 2])
    shown = one.of("normal", "mu_raw")
    assert np.isnan(shown.low) and shown.side == 0 and one.enough == []
    alone = found[1].of("normal", "mu_raw")
    assert len(alone.values) == 1 and np.isnan([alone.low, alone.high]).all() and np.isfinite(alone.mean)


def test_a_student_without_mu_is_left_out_and_one_without_a_bystander_keeps_its_r(tmp_path: Path) -> None:
    study = store(tmp_path / "a", SPECS, without="^bystander")
    (one,) = r_over_seeds.measured({"a": study})
    assert one.of("normal", "bystander_mu_raw").values == [] and len(one.of("normal", "mu_raw").values) == 4
    assert "no bystander was followed" in over_seeds.difference_sentence(one)
    simkd = write(tmp_path / "b", replace(SPEC, method="simkd", method_parameters={}), without="mu")
    methods = replace(study, students=[*study.students, simkd])
    (more,) = r_over_seeds.measured({"a": methods})
    assert more.labels == ["normal", "KD T=4"]


def test_where_no_epochs_are_left_for_an_r_it_says_so_and_the_curves_over_cuts_stay(tmp_path: Path) -> None:
    """With all but two epochs left out, the null had no column to subtract, and a bystander was said to be missing."""
    late = replace(store(tmp_path, SPECS), warm_up=46)
    found = r_over_seeds.measured({"late": late})
    tables = [mismatched_pairs.by_cut(late)]
    assert set(tables[0]["cut"]) == set(r_over_seeds.cuts(late))
    curves = [r_over_seeds.curves(found[0])]
    for made in (
        over_seeds.differences(found),
        over_seeds.readings(found),
        mismatched.against_warm_up(found, tables),
        warm_ups.against_warm_up(found, curves),
    ):
        assert made.answer == "**Late: it cannot be told, since no student has an r after the warm-up on 3 seeds.**"


# --------------------------------------------------------------------------------------------------------------- cuts
def test_r_against_the_cut_is_that_of_the_epochs_that_are_left(found: list[Measured]) -> None:
    assert r_over_seeds.cuts(found[0].study) == [*range(0, 46, 3)]  # sixteenths of 48; 3 remain
    own = r_over_seeds.curves(found[0])
    for place, cut in enumerate(r_over_seeds.cuts(found[0].study)):
        z = np.arctanh([r(run, cut=cut) for run in by_label(found[0])["KD T=4"]])
        shown = own["KD T=4"]["mu_raw"][place]
        assert (shown.mean, shown.low, shown.high) == pytest.approx((np.tanh(z.mean()), *np.tanh(interval(z))))
    figures, labels = steps(warm_ups.against_warm_up(found, [r_over_seeds.curves(one) for one in found]))
    assert labels == ["normal, many", "KD T=4, many", "normal, one", "KD T=4, one"]
    assert warm_ups.start(found, labels) == "KD T=4, many" and warm_ups.start(found, ["normal, one"]) is None
    front = figures[1].data[-1]
    assert front.name == SIDES["mu_raw"] and list(front.y) == rounded([found.mean for found in own["KD T=4"]["mu_raw"]])


def test_a_sign_that_hangs_on_the_cut_is_told(found: list[Measured]) -> None:
    own = {
        label: {side: list(curve) for side, curve in sides.items()}
        for label, sides in r_over_seeds.curves(found[0]).items()
    }
    assert "for 0 of 2 students" in warm_ups.sentence(found[0], own)
    curve = own["KD T=4"]["mu_raw"]
    curve[0] = own["normal"]["mu_raw"][0]
    above = sum(shown.side == 1 for shown in curve)
    assert above == 15
    text = warm_ups.sentence(found[0], own)
    assert "for 1 of 2 students" in text and "by a whole interval (KD T=4)" in text
    assert f"KD T=4 lies above zero at {above} of 16 cuts and below zero at 1 of 16 cuts" in text


# ---------------------------------------------------------------------------------------------------- mismatched pairs
def test_mismatched_pairs_are_made_for_every_cut_and_a_tie_to_its_own_loss_stands_out(found: list[Measured]) -> None:
    table = mismatched_pairs.by_cut(found[0].study)
    assert sorted(table["cut"].unique()) == r_over_seeds.cuts(found[0].study)
    at = table[(table["cut"] == 24) & (table["label"] == "KD T=4")]
    runs = by_label(found[0])["KD T=4"]
    expected = [[r(a, loss=b.history) for b in runs if b is not a] for a in runs]
    assert at.loc[at["kind"] == "other seed", "r"].tolist() == pytest.approx([one for row in expected for one in row])
    shown = mismatched_pairs.own(at)["KD T=4"]
    assert shown == mismatched_pairs.pairing(at.pivot(index="seed", columns="other", values="r"))
    assert shown.mean == pytest.approx(np.mean([r(run) for run in runs]) - np.mean(expected))
    made = mismatched.against_warm_up(found, [mismatched_pairs.by_cut(one.study) for one in found])
    assert made.answer.startswith("**Many: more closely for") and "3 seeds" in made.says
    figures, labels = steps(made)
    assert labels == ["normal, many", "KD T=4, many"]
    place = r_over_seeds.cuts(found[0].study).index(24)
    names = {trace.name: trace.y[place] for trace in figures[1].data}
    flat = [one for row in expected for one in row]
    assert names["loss of other seed"] == pytest.approx(np.median(flat), rel=1e-3)
    assert names["loss of other seed, lower end"] == pytest.approx(min(flat), rel=1e-3)
    assert names["loss of other seed, upper end"] == pytest.approx(max(flat), rel=1e-3)
    said = mismatched.cut_sentence(found[0], table)
    assert "leaves out zero for 2 of 2 students" in said
    assert said.startswith("more closely for normal and KD T=4; the interval")
    at = mismatched_pairs.own(table[table["cut"] == 24])
    sizes = sorted(abs(found.mean) for found in at.values())
    assert f"; these are {sizes[0]:.3f} to {sizes[1]:.3f} in size. Without the first" in said


# ------------------------------------------------------------------------------------------------------------ pictures
def test_every_figure_is_drawable_without_a_script(found: list[Measured]) -> None:
    drawn: list[go.Figure] = [draw(one) for one in found for draw in (over_seeds._differences, over_seeds._readings)]
    drawn += warm_ups.against_warm_up(found, [r_over_seeds.curves(one) for one in found]).figures[:1]
    drawn += mismatched.against_warm_up(found[:1], [mismatched_pairs.by_cut(found[0].study)]).figures[:1]
    for fig in drawn:
        drawable(fig)
        assert "n\u00a0=" in fig.layout.title.text and fig.layout.meta["runs"]
