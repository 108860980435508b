"""Figures of mu and of r say what the histories say: data, numbers in sentences, steps, colours."""

from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from exhibits import NOTEBOOKS
from made_up import SPEC, TEACHER, kd, lasting, luminance, rounded, store, write

from kdnb.analysis import correlations, mismatched_pairs, selection
from kdnb.analysis.class_rows import last_weight
from kdnb.analysis.selection import ChapterParameters
from kdnb.analysis.study import Study
from kdnb.figures import claim_words, experiment, front_page, style
from kdnb.figures.alignment import terms
from kdnb.figures.correlation import accuracy, norms, over_temperature
from kdnb.figures.mu_curves import alike, over_epochs
from kdnb.files import write_tensors
from kdnb.runs import Run


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return store(tmp_path_factory.mktemp("runs"))


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
    text = str(over_epochs.curves(study).figure.layout.title.text).replace("\u00a0", " ")
    assert text == "digits, resnet20 → resnet8 · n = 4 runs, seed 0 · epochs 13–24"


# --------------------------------------------------------------------------------------------------------------- mu
def test_curves_are_the_histories_after_the_cut(study: Study) -> None:
    shown = [run for run in study.students if run.spec.method in ("normal", "kd")]
    traces = over_epochs.curves(study).figure.data
    assert len(traces) == 2 * len(shown)
    columns = ["mu_raw"] * 4 + ["loss"] * 4
    for trace, run, column in zip(traces, shown * 2, columns, strict=True):
        kept = run.history[run.history["epoch"] > 12]
        assert trace.name == run.label
        assert list(trace.x) == list(range(13, 25))
        assert list(trace.y) == rounded(kept[column])


def test_the_menu_puts_each_measure_in_the_place_of_mu(study: Study) -> None:
    buttons = over_epochs.curves(study).figure.layout.updatemenus[0].buttons
    by_label = {button.label: button.args for button in buttons}
    data, _, traces = by_label["μ rotated"]
    assert list(traces) == [0, 1, 2, 3]
    assert list(data["y"][3]) == rounded(study.kd[10].history["mu_rotated"][12:])
    assert len(buttons) == len(over_epochs.MEASURES)


def test_the_animation_brings_one_temperature_after_another_to_the_front_and_opens_at_four(study: Study) -> None:
    made = over_epochs.animation(study)
    assert made.labels == ["KD T=1", "KD T=4", "KD T=10"] and made.start == "KD T=4"
    for run, fig in zip(study.kd.values(), made.figures, strict=True):
        front = [trace for trace in fig.data if trace.line.color != style.QUIET]
        histories = [rounded(run.history[column][12:]) for column in ("mu_raw", "loss")]
        assert [list(trace.y) for trace in front] == histories and len(fig.data) == 2 * (len(study.kd) + 1)


def test_fig_1_is_the_change_since_the_warm_up_of_every_seed(tmp_path: Path) -> None:
    three = store(tmp_path, [kd(4, init_seed=seed) for seed in range(3)])
    traces = over_epochs.selected(three).figure.data
    shares = [run.history["mu_raw"][12:] / run.history["mu_raw"][12] - 1 for run in three.by_seeds["KD T=4"]]
    assert [list(trace.y) for trace in traces[:3]] == [rounded(share) for share in shares]
    assert list(traces[3].y) == rounded(np.mean(shares, axis=0))
    change = f"{np.mean([share.iloc[-1] for share in shares]):+.1%}".replace("-", "−")
    assert change in over_epochs.answer(three) and "3 seeds" in over_epochs.answer(three)


def test_fig_7_is_dist_alone_beside_kd(study: Study) -> None:
    one, other = alike.dist(study).figure.data
    assert list(one.y) == rounded(study.students[4].history["mu_raw"][12:]) and one.xaxis != other.xaxis


def test_the_cosine_and_mu_are_drawn_on_one_scale_and_judged(tmp_path: Path) -> None:
    three = store(tmp_path, [kd(4, init_seed=seed) for seed in range(3)])
    made = alike.cosine(three)
    for trace, run in zip(made.figure.data[3:], three.by_seeds["KD T=4"], strict=True):
        distance = 1 - run.history["classifier_cosine"][12:].to_numpy()
        assert list(trace.y) == rounded((distance - distance.mean()) / distance.std())
    assert made.answer.startswith(f"**{claim_words.found(three, 'C10')}: ") and made.answer.endswith("(3 seeds).**")


def test_a_claim_whose_runs_are_not_there_cannot_be_told(study: Study) -> None:
    assert claim_words.told(study, "C9").startswith("**Cannot be told here: KD at T=4 with at least 3 values of alpha")


# ------------------------------------------------------------------------------------------------------- correlation
def test_where_the_warm_up_leaves_one_epoch_no_change_is_told(tmp_path: Path) -> None:
    """It used to be said that mu changes by +0.0%, and therefore falls at 0 temperatures."""
    late = replace(store(tmp_path), warm_up=23)
    for make in (over_epochs.selected, over_epochs.curves, over_epochs.animation, alike.dist):
        made = make(late)
        if make is not over_epochs.animation:  # a second picture under the same question
            assert "cannot be told: n" in made.answer and "two epochs after the warm-up" in made.answer, make.name
        assert made.figures[0].layout.title.text.endswith("· epoch 24")
    assert terms.sentence(late, late.leading) == "**What moves cannot be told: the warm-up leaves one epoch.**"
    assert front_page.drift(late).startswith("**It cannot be told here")


def test_a_verdict_on_other_epochs_than_the_figures_says_so(tmp_path: Path) -> None:
    """A claim is judged after half of the epochs, whatever a chapter leaves out; a figure's numbers are its own."""
    study = store(tmp_path, [SPEC, *(kd(t) for t in (1, 2, 4, 6, 10))])
    usual, early = (replace(study, warm_up=cut) for cut in (12, 4))
    for make in (over_epochs.selected, alike.cosine, norms.by_temperature):
        assert "judged" not in make(usual).answer
        assert " here (judged from epoch 13 on)" in make(early).answer
    gaps = [abs(pearson(run, 4) - pearson(run, 4, "weight_norm")) for run in study.students]
    assert f"differ by {np.median(gaps):.3f} at the median (at most {max(gaps):.3f})" in norms.sentence(early)


def test_a_verdict_is_on_the_chapters_alpha(tmp_path: Path) -> None:
    """Of another alpha there are no students here: those of the paper's used to be judged in their place."""
    study = store(tmp_path, [SPEC, kd(4)])
    assert claim_words.told(replace(study, alpha=0.3), "C10") == "**Cannot be told here: KD at T=4, alpha 0.3.**"


@pytest.mark.parametrize(
    "inside, so", [(0.1, "Mostly steps"), (-0.6, "More than steps"), (np.nan, "It cannot be told of")]
)
def test_an_r_is_mostly_steps_where_less_than_half_is_left_within_them(
    study: Study, monkeypatch: pytest.MonkeyPatch, inside: float, so: str
) -> None:
    for name, r in ((correlations.PAPERS, -0.7), (correlations.PHASES, inside)):
        monkeypatch.setitem(correlations.READINGS, name, lambda _, r=r: r)
    said = over_temperature.sentence(study)
    assert said.startswith(f"**{so}") and " r = −0.70 (KD T=4, seed 0)" in said


def test_it_is_said_at_which_temperatures_mu_falls(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    for falling, said in (([1], "T = 1, of"), ([1, 4, 10], "all of"), ([], "none of")):
        monkeypatch.setattr(
            Study, "change", lambda _, column, run, hot=falling: -1 if run.label in {f"KD T={t}" for t in hot} else 1
        )
        assert over_epochs.order(study) == f"**At {said} 3 temperatures (seed 0).**"


def test_r_of_too_few_epochs_is_not_printed_as_nan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = store(tmp_path)
    for late in (22, 23):
        exec(cell("04_correlation", "04-r"), {"studies": [replace(study, warm_up=late)]})
    said = capsys.readouterr().out
    assert said.count("has no three epochs of a μ and a loss that move") == 2 and "nan" not in said


def test_one_of_a_thing_is_not_called_several(tmp_path: Path) -> None:
    one = store(tmp_path, [lasting(kd(4), 1)])
    assert " 1 epoch (240)" in experiment.about([one])
    assert "· of 1 epoch, those" in norms.draw(one).layout.title.text
    two = store(tmp_path / "two", [kd(4)])
    assert " of 1 temperature" in over_epochs.order(two) and "temperatures" not in over_epochs.order(two)


def pearson(run: Run, cut: int, column: str = "mu_raw") -> float:
    return float(np.corrcoef(run.history[column][cut:], run.history["loss"][cut:])[0, 1])


def test_with_one_seed_there_is_no_pair_with_three_each_meets_each_other(study: Study, tmp_path: Path) -> None:
    assert mismatched_pairs.pairs(study).empty
    three = store(tmp_path, [kd(4, init_seed=seed) for seed in range(3)] + [kd(1)])
    table = mismatched_pairs.pairs(three)
    counts = table.groupby(["label", "kind"]).size().to_dict()
    assert counts == {("KD T=4", "same run"): 3, ("KD T=4", "other seed"): 6}
    same = [pearson(run, 12) for run in three.by_seeds["KD T=4"]]
    assert sorted(table.loc[table["kind"] == "same run", "r"]) == pytest.approx(sorted(same))


def test_the_slider_of_fig_6_has_pearsons_r_at_every_warm_up(study: Study) -> None:
    fig = norms.by_temperature(study).figure
    (slider,) = fig.layout.sliders
    for step, cut in zip(slider.steps, (0, 3, 6, 9, 12, 15, 18), strict=True):
        assert step.label == f"{cut}" and len(step.args[0]["y"]) == len(fig.data)
        means = {0: "mu_raw", 2: "bystander_mu_raw", 4: "weight_norm"}
        for place, column in means.items():
            r = [pearson(run, cut, column) for run in study.kd.values()]
            assert list(step.args[0]["y"][place]) == pytest.approx(r, abs=1e-3)
    assert [list(trace.y) for trace in fig.data] == [list(y) for y in slider.steps[slider.active].args[0]["y"]]


def test_the_points_behind_r_are_the_epochs_after_the_cut(study: Study) -> None:
    points = over_temperature.scatter(study).figure.data[0]
    assert list(points.marker.color) == list(range(13, 25))
    assert list(points.x) == rounded(study.kd[4].history["loss"][12:])


def test_accuracy_is_the_mean_of_the_last_epoch_over_seeds(tmp_path: Path) -> None:
    study = store(tmp_path, [kd(t, init_seed=seed) for t in (1, 4) for seed in (0, 1)])
    line, dots, _ = accuracy.by_temperature(study).figure.data
    read = {t: [Run(tmp_path / kd(t, init_seed=seed).name).last("test_accuracy") for seed in (0, 1)] for t in (1, 4)}
    assert list(line.y) == rounded([np.mean(values) for values in read.values()])
    assert sorted(dots.y) == rounded(sorted(value for values in read.values() for value in values))


def test_accuracy_is_the_last_epochs(study: Study) -> None:
    values = [run.history["test_accuracy"].iloc[-1] for run in study.kd.values()]
    fig = accuracy.by_temperature(study).figure
    assert list(fig.data[0].y) == rounded(values)
    assert [trace.name for trace in fig.data] == ["KD", "normal", "DIST", "MSE", "teacher"]
    text = accuracy.sentence(study)
    assert f"{max(values):.2%}" in text and f"one test image is {100 / 60:.2f} points" in text


def test_the_sentence_counts_the_verdicts(study: Study) -> None:
    judged = claim_words.judged(study)
    reproduced = sum(found.verdict == "found here too" for found in judged)
    assert f"{reproduced} found here too" in claim_words.sentence(judged) or not reproduced
    assert claim_words.sentence(judged).endswith("on 1 seed each.")


def cell(chapter: str, name: str) -> str:
    """The source of a notebook's cell."""
    cells = nbformat.read(NOTEBOOKS / f"{chapter}.ipynb", as_version=4).cells
    return str(next(one.source for one in cells if one.id == name))


def test_the_one_number_of_a_student_is_told_only_beside_its_teacher(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its run, of a checkpoint of one's own, the cell used to print the length of W_s as mu."""
    source = cell("03_mu_curves", "03-mu")
    taught, lone = store(tmp_path / "taught"), store(tmp_path / "lone", [replace(SPEC, teacher=None)])
    for one in (taught, lone):
        for place in one.folder.iterdir():
            weight = TEACHER["classifier.weight"] if place.name.startswith("teacher") else torch.full((3, 4), 2.0)
            tensors = {"weight": weight[None].clone(), "bias": torch.zeros(1, 3)}
            write_tensors(place / "classifier.safetensors", tensors, {})
        exec(source, {"studies": [one, taught], "last_weight": last_weight})
    mu = float(((TEACHER["classifier.weight"] - 2) ** 2).sum() ** 0.5)
    told, untold = capsys.readouterr().out.splitlines()
    assert f"μ = {mu:.3f} of (3, 4) numbers" in told
    assert "μ =" not in untold and str(lone.folder) in untold


@pytest.mark.parametrize(
    ("chapter", "name", "told"), [("04_correlation", "04-r", "r ="), ("07_account", "step-code", "added_up")]
)
def test_one_student_without_a_mu_stops_no_chapter(
    chapter: str, name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SimKD's answers with the teacher's classifier: the tracker leaves no mu of it."""
    simkd = replace(SPEC, method="simkd", method_parameters={"factor": 2.0})
    write(tmp_path / "bare", simkd, without="mu_|pull_|spread")
    bare = selection.load(ChapterParameters(output_dir=str(tmp_path / "bare"), methods=("simkd",)))
    whole = store(tmp_path / "whole")
    for study in (whole, bare):
        exec(cell(chapter, name), {"study": study, "studies": [study]})
        said = capsys.readouterr().out
        assert (told in said) == (study is whole) and ("SimKD" in said) == (study is bare)


@pytest.mark.parametrize(("epochs", "rows"), [(1, 0), (2, 1), (5, 3)])
def test_a_trial_of_few_epochs_has_its_account_told_once_an_epoch(
    epochs: int, rows: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(cell("07_account", "step-code"), {"study": store(tmp_path, [lasting(SPEC, epochs)])})
    said = capsys.readouterr().out
    assert said.count("\n") == (rows + 2 if rows else 1) and "NaN" not in said
    assert ("has no account of μ over two epochs" in said) == (rows == 0)
