"""Figures and tables of published results."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up import SPEC, STUDENTS, kd, lasting, steps, store
from scipy import stats as scipy_stats

from kdnb.analysis import correlations, maps, publish, selection
from kdnb.analysis.selection import ResultsParameters, Study
from kdnb.book import drawing, widgets
from kdnb.data import cifar
from kdnb.figures import cifar100, classes, tsne
from kdnb.figures.correlation import over_temperature


@pytest.fixture(scope="module")
def results(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "tiny"
    publish.publish(tiny_folder, folder)
    return folder


@pytest.fixture(scope="module")
def chosen(results: Path) -> ResultsParameters:
    return ResultsParameters(profile="digits", results_dir=str(results))


@pytest.fixture(scope="module")
def study(chosen: ResultsParameters) -> Study:
    return selection.load(chosen.shown)


# ----------------------------------------------------------------------------------------------------------- classes
def test_cifar100_has_twenty_superclasses_of_five_and_each_class_one_colour() -> None:
    kinds = [names.split() for group in cifar.SUPERCLASSES.values() for names in group.values()]
    assert [len(names) for names in kinds] == [5] * 20
    names = cifar.NAMES
    assert len(set(names)) == 100 and (names[0], names[1], names[99]) == ("apple", "aquarium_fish", "worm")
    groups = classes.groups("cifar100", np.array([3, 4]))
    assert sorted(k for group in groups for k in group.classes) == list(range(100))
    assert len({group.color for group in groups}) == len(groups) <= len(classes.style.CLASSES)
    assert all(text.startswith(names[k]) for group in groups for k, text in group.classes.items())


def test_few_classes_have_a_colour_each() -> None:
    groups = classes.groups("digits", np.array([7, 0, 7, 3]))
    assert [(group.name, dict(group.classes)) for group in groups] == [
        ("class 0", {0: "class 0"}),
        ("class 3", {3: "class 3"}),
        ("class 7", {7: "class 7"}),
    ]


def test_maps_of_a_hundred_classes_are_coloured_by_group_and_name_the_class(study: Study) -> None:
    found = maps.spaces(study, which="final")
    labels = np.arange(128) % 100
    spec = replace(study.students[0].spec, dataset="cifar100")
    made = {"spec": spec, "label": "normal", "path": Path("normal"), "provenance": {"sessions": []}}
    other = replace(study, students=[type("Run", (), made)()])
    networks = {"normal": replace(found.networks["normal"], labels=labels)}
    points = np.random.default_rng(0).normal(size=(128, 2))
    fig = tsne.grid(replace(found, study=other, networks=networks), {"normal": points}).figure
    assert [trace.name for trace in fig.data] == list(cifar.SUPERCLASSES)
    names = cifar.NAMES
    for trace in fig.data:
        at = {(x, y): text for x, y, text in zip(trace.x, trace.y, trace.text, strict=True)}
        for (x, y), k in zip(points, labels, strict=True):
            if (text := at.get((float(f"{x:.3g}"), float(f"{y:.3g}")))) is not None:
                assert text.split(" (")[0] == names[k]


# -------------------------------------------------------------------------------------------------------------- maps
def test_maps_come_in_order_on_one_scale_and_the_teacher_last(study: Study, chosen: ResultsParameters) -> None:
    figures, labels = steps(tsne.two_epochs(study, chosen.shown))
    assert labels == [f"{run.label}, epoch 3" for run in study.students] + ["teacher, epoch 3"]
    assert len({tuple(fig.layout.xaxis.range) for fig in figures}) == 1
    assert sum(len(trace.x) for trace in figures[0].data) == 128
    assert len(json.dumps(widgets.pack(figures), ensure_ascii=False)) < 1e6


def test_matched_and_last_epoch_are_both_shown_where_they_differ(tmp_path: Path) -> None:
    made = store(tmp_path, [SPEC, kd(4)])
    figures, labels = steps(tsne.two_epochs(made, selection.MapParameters(points=20, perplexity=5)))
    assert labels == ["normal, epoch 7", "KD T=4, epoch 7", "normal, epoch 24", "KD T=4, epoch 24", "teacher, epoch 24"]
    assert "NaN" not in json.dumps([drawing.compact(fig) for fig in figures])


# ------------------------------------------------------------------------------------------------------- few epochs
def test_too_few_epochs_are_called_so(tmp_path: Path) -> None:
    made = store(tmp_path, [lasting(spec, 15) for spec in STUDENTS])
    table = correlations.readings(made)
    assert (table["n"] == 8).all() and table[["r_differences", "low", "high", "n_eff"]].isna().all(axis=None)
    assert over_temperature.as_html(table).count("too few epochs") == len(STUDENTS)
    assert "too few for an r of their own" in over_temperature.honest_sentence(table)
    drawn = over_temperature.honest(made, table).figure
    assert "NaN" not in json.dumps(drawing.compact(drawn)) and "nan" not in over_temperature.sentence(made)
    said = [note.text for note in drawn.layout.annotations]
    assert said[-2:] == ["no phase has 3 epochs", "too few epochs for r of changes"]
    assert "(n = 8)" in over_temperature.sentence(made)


def test_r_by_chance_is_the_one_whose_p_is_a_twentieth(study: Study, tmp_path: Path) -> None:
    made = store(tmp_path, [lasting(SPEC, 15)])
    limit = float(over_temperature.chance_sentence(made).split("±")[1].split(" ")[0])
    y = np.array([1.0, -2, 3, 0, -1, 2, -3, 1])
    x = np.arange(8.0)
    x, y = x - x.mean(), y - y.mean()
    y -= x * (x @ y) / (x @ x)
    mixed = limit * x / np.linalg.norm(x) + np.sqrt(1 - limit**2) * y / np.linalg.norm(y)
    assert scipy_stats.pearsonr(x, mixed).pvalue == pytest.approx(0.05, abs=0.005)
    assert "no r" in over_temperature.chance_sentence(replace(study, warm_up=1))


# ------------------------------------------------------------------------------------------------------ in sentences
def test_what_was_trained_is_read_from_the_runs(study: Study) -> None:
    text = "**resnet8 → resnet8** on digits, 3 epochs, convolutions in fp32; 5 students of seed 0"
    assert text in cifar100.about(study)
    last = [run.history["test_accuracy"].iloc[-1] for run in study.students]
    assert f"{min(last):.1%} to {max(last):.1%} of the test images" in cifar100.learned(study)
    session = study.students[0].provenance["sessions"][0]
    table = cifar100.made_by(study)
    for text in (session["hardware"]["cpu"], session["versions"]["torch"]):
        assert text in table and text in cifar100.about(study)
    assert "teacher" in table and all(run.label in table for run in study.students)


def test_results_that_are_not_there_say_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="clone it.*kdnb publish --profile cifar100-small"):
        _ = ResultsParameters(results_dir=str(tmp_path / "none")).shown
