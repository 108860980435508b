"""Figures of mu and of r say what the histories say: data, numbers in sentences, frames, colours."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up import SPEC, kd, lasting, luminance, rounded, steps, store, write

from kdnb.analysis import correlations, mismatched_pairs, selection
from kdnb.analysis.selection import ChapterParameters, Study
from kdnb.figures import claim_words, mu_curves, style
from kdnb.figures.correlation import accuracy, over_temperature
from kdnb.figures.statistics import mismatched
from kdnb.parameters import read
from kdnb.runs import Run


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return store(tmp_path_factory.mktemp("runs"))


# ------------------------------------------------------------------------------------------------------- choosing runs
def test_students_come_in_the_order_of_the_paper_and_the_teacher_is_found_by_its_weights(study: Study) -> None:
    labels = [run.label for run in study.students]
    assert labels == ["normal", "KD T=1", "KD T=4", "KD T=10", "DIST", "MSE"]
    assert (study.warm_up, study.hottest) == (12, 10)
    assert study.teacher is not None and study.teacher.label == "teacher"


def test_another_networks_teacher_is_not_taken_for_theirs(tmp_path: Path) -> None:
    other = store(tmp_path, [replace(SPEC, teacher={"model": "resnet20", "checksum": "another"})])
    assert other.teacher is None


def test_an_empty_folder_says_how_to_make_runs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make study"):
        selection.load(ChapterParameters(output_dir=str(tmp_path)))


def test_another_seed_or_alpha_is_left_out_and_named_when_nothing_is_left(tmp_path: Path) -> None:
    store(tmp_path, [SPEC, replace(SPEC, init_seed=1)])
    assert len(selection.load(ChapterParameters(output_dir=str(tmp_path))).students) == 1
    with pytest.raises(FileNotFoundError, match="seed 2.*normal-wd0.0005-s0"):
        selection.load(ChapterParameters(output_dir=str(tmp_path), seed=2))


def test_a_warm_up_that_leaves_nothing_and_runs_of_unequal_length_are_refused(tmp_path: Path) -> None:
    store(tmp_path, [SPEC])
    with pytest.raises(ValueError, match="warm_up is 24.*24 epochs"):
        selection.load(ChapterParameters(output_dir=str(tmp_path), warm_up=24))
    write(tmp_path, lasting(kd(4), 6))
    with pytest.raises(ValueError, match="6, 24 epochs"):
        selection.load(ChapterParameters(output_dir=str(tmp_path)))


def test_a_mistyped_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="warmup"):
        read({"profile": "digits", "warmup": 3}, ChapterParameters)


# --------------------------------------------------------------------------------------------------------------- style
def test_temperatures_have_distinct_colours_of_rising_luminance() -> None:
    shades = [luminance(style.temperature_color(t, 10)) for t in range(1, 11)]
    assert (np.diff(shades) > 0.01).all()


def test_a_method_has_one_look_whatever_the_temperatures(study: Study) -> None:
    normal, dist, mse = (study.get(label) for label in ("normal", "DIST", "MSE"))
    assert normal and dist and mse
    looks = [style.line(run, 10) for run in (normal, dist, mse)]
    assert len({look["color"] for look in looks}) == len({look["dash"] for look in looks}) == 3
    assert style.line(normal, 2) == looks[0]


def test_rounding_keeps_four_significant_digits_and_leaves_gaps() -> None:
    values = np.random.default_rng(0).lognormal(0, 8, 1000)
    found = np.array(style.significant(values), float)
    assert (np.abs(found / values - 1) <= 5e-4).all()
    assert max(len(f"{v:e}".split("e")[0].rstrip("0")) for v in found) <= len("1.234")
    assert style.significant([1.0, np.nan, np.inf]) == [1.0, None, None]


def test_the_caption_counts_what_is_shown(study: Study) -> None:
    text = str(mu_curves.curves(study).figure.layout.title.text).replace("\u00a0", " ")
    assert text == "digits, resnet20 → resnet8 · n = 4 runs, seed 0 · epochs 13–24"


# --------------------------------------------------------------------------------------------------------------- mu
def test_curves_are_the_histories_after_the_cut(study: Study) -> None:
    shown = [run for run in study.students if run.spec.method in ("normal", "kd")]
    traces = mu_curves.curves(study).figure.data
    assert len(traces) == 2 * len(shown)
    columns = ["mu_raw"] * 4 + ["loss"] * 4
    for trace, run, column in zip(traces, shown * 2, columns, strict=True):
        kept = run.history[run.history["epoch"] > 12]
        assert trace.name == run.label
        assert list(trace.x) == list(range(13, 25))
        assert list(trace.y) == rounded(kept[column])


def test_the_menu_puts_each_measure_in_the_place_of_mu(study: Study) -> None:
    buttons = mu_curves.curves(study).figure.layout.updatemenus[0].buttons
    by_label = {button.label: button.args for button in buttons}
    data, _, traces = by_label["μ rotated"]
    assert list(traces) == [0, 1, 2, 3]
    assert list(data["y"][3]) == rounded(study.kd[10].history["mu_rotated"][12:])
    assert len(buttons) == len(mu_curves.MEASURES)


def test_panels_and_animation_have_one_step_a_temperature_and_panels_share_axes(study: Study) -> None:
    figures, labels = steps(mu_curves.panels(study))
    assert labels == ["KD T=1", "KD T=4", "KD T=10"] and len(figures) == 3
    assert len({json.dumps(fig.to_plotly_json()["layout"]["yaxis"]) for fig in figures}) == 1
    last = {trace.name: trace for trace in figures[2].data[:2]}["KD at the chosen T"]
    assert list(last.y) == rounded(study.kd[10].history["mu_raw"])
    frames = mu_curves.animation(study).figure.frames
    assert [frame.name for frame in frames] == labels
    assert list(frames[1].data[1].y) == rounded(study.kd[4].history["loss"][12:])


def test_the_ladder_shows_unrelated_classifiers_of_the_same_norms(study: Study) -> None:
    figures, labels = steps(mu_curves.ladder(study))
    assert labels == [run.label for run in study.students]
    trace = next(t for t in figures[2].data if t.name == "nothing in common")
    assert study.teacher
    norm = study.teacher.history["weight_norm"].iloc[-1]
    assert list(trace.y) == rounded((norm**2 + study.kd[4].history["weight_norm"] ** 2) ** 0.5)


def test_the_sentence_of_mu_holds_the_change_after_the_cut(study: Study) -> None:
    h = study.kd[4].history
    change = (h["mu_raw"][23] - h["mu_raw"][12]) / h["mu_raw"][12]
    norm = (h["weight_norm"][23] - h["weight_norm"][12]) / h["weight_norm"][12]
    text = mu_curves.sentence(study)
    assert f"({100 * change:+.1f}%)" in text and f"({100 * norm:+.1f}%)" in text
    assert f"rotated {100 * h['mu_rotated'][23] / h['mu_raw'][23]:.0f}%" in mu_curves.ladder_sentence(study)


# ------------------------------------------------------------------------------------------------------- correlation
def pearson(run: Run, cut: int, column: str = "mu_raw") -> float:
    return float(np.corrcoef(run.history[column][cut:], run.history["loss"][cut:])[0, 1])


def test_fig_6_is_pearsons_r_at_every_warm_up(study: Study) -> None:
    figures, labels = steps(over_temperature.r(study))
    assert labels == [f"{cut} epochs" for cut in (0, 3, 6, 9, 12, 15, 18)]
    for fig, cut in zip(figures, (0, 3, 6, 9, 12, 15, 18), strict=True):
        real, control, normal, *_ = fig.data
        assert list(real.x) == [1, 4, 10]
        assert list(real.y) == pytest.approx([pearson(run, cut) for run in study.kd.values()], abs=1e-4)
        other = [pearson(run, cut, "bystander_mu_raw") for run in study.kd.values()]
        assert list(control.y) == pytest.approx(other, abs=1e-4)
        assert list(normal.y) == pytest.approx([pearson(study.students[0], cut)] * 2, abs=1e-4)
    assert f"r = {pearson(study.kd[4], 12):.3f}" in over_temperature.sentence(study)


def test_differences_leave_out_steps_across_a_drop(study: Study) -> None:
    table = correlations.readings(study)
    h = study.kd[4].history[12:]
    inside = ~h["epoch"][:-1].isin(SPEC.drops).to_numpy()
    steps = [np.diff(h[column])[inside] for column in ("mu_raw", "loss")]
    expected = np.corrcoef(*steps)[0, 1]
    assert table["r_differences"]["KD T=4"] == pytest.approx(expected)
    *phases, paper, changes = over_temperature.honest(study, table).figure.data
    assert changes.y[2] == pytest.approx(expected, abs=1e-4)
    assert paper.y[2] == pytest.approx(pearson(study.kd[4], 12), abs=1e-4)
    assert [trace.name for trace in phases] == [f"epochs {s}" for s in ("13–15", "16–18", "19–21", "22–24")]
    assert f"{expected:.2f} [" in over_temperature.as_html(table)


def test_with_one_seed_the_null_says_so_with_three_it_pairs_each_with_each_other(study: Study, tmp_path: Path) -> None:
    assert mismatched_pairs.pairs(study).empty
    assert "one seed" in mismatched.sentence(mismatched_pairs.pairs(study))
    three = store(tmp_path, [kd(4, init_seed=seed) for seed in range(3)] + [kd(1)])
    table = mismatched_pairs.pairs(three)
    counts = table.groupby(["label", "kind"]).size().to_dict()
    assert counts == {("KD T=4", "same run"): 3, ("KD T=4", "other seed"): 6}
    same = [pearson(run, 12) for run in three.by_seeds["KD T=4"]]
    assert f"is {np.median(same):.3f}" in mismatched.sentence(table)
    assert [len(trace.x) for trace in mismatched.own_or_other(three, table).figure.data] == [6, 3]


def test_accuracy_is_the_last_epochs(study: Study) -> None:
    values = [run.history["test_accuracy"].iloc[-1] for run in study.kd.values()]
    fig = accuracy.by_temperature(study).figure
    assert list(fig.data[0].y) == rounded(values)
    assert [trace.name for trace in fig.data] == ["KD", "normal", "DIST", "MSE", "teacher"]
    text = accuracy.sentence(study)
    assert f"{max(values):.2%}" in text and f"one image is {1 / 60:.2%}" in text


def test_the_points_behind_r_are_the_epochs_after_the_cut(study: Study) -> None:
    figures, _ = steps(over_temperature.scatter(study))
    (points,) = figures[0].data
    assert list(points.marker.color) == list(range(13, 25))
    assert list(points.x) == rounded(study.students[0].history["loss"][12:])


def test_the_sentence_counts_the_verdicts(study: Study) -> None:
    judged = claim_words.judged(study)
    reproduced = sum(found.verdict == "found here too" for found in judged)
    assert f"{reproduced} found here too" in claim_words.sentence(judged) or not reproduced
    assert claim_words.sentence(judged).endswith("on 1 seed each.")
