"""Figures and tables of published results."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up import SPEC, kd, store

from kdnb.analysis import maps, selection
from kdnb.analysis.study import Study
from kdnb.data import cifar
from kdnb.figures import classes, experiment, tsne


@pytest.fixture(scope="module")
def study(published: Path) -> Study:
    return selection.load(selection.ChapterParameters(output_dir=str(published)))


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
    found = maps.spaces(study, "test", "final")
    labels = np.arange(128) % 100
    spec = replace(study.students[0].spec, dataset="cifar100")
    made = {"spec": spec, "label": "normal", "path": Path("normal"), "provenance": {"sessions": []}}
    made["snapshot"] = lambda *_: None
    other = replace(study, students=[type("Run", (), made)()])
    networks = {"normal": replace(found.networks["normal"], labels=labels)}
    points = np.random.default_rng(0).normal(size=(128, 2))
    fig = tsne.row(replace(found, study=other, networks=networks), {"normal": points}).figure
    assert [trace.name for trace in fig.data] == list(cifar.SUPERCLASSES)
    names = cifar.NAMES
    for trace in fig.data:
        at = {(x, y): text for x, y, text in zip(trace.x, trace.y, trace.text, strict=True)}
        for (x, y), k in zip(points, labels, strict=True):
            if (text := at.get((float(f"{x:.3g}"), float(f"{y:.3g}")))) is not None:
                assert text.split(" (")[0] == names[k]


# ----------------------------------------------------------------------------------------------------- which are shown
def test_the_page_names_whose_runs_and_how_they_differ_from_the_papers(study: Study) -> None:
    text = experiment.about([study])
    assert (
        "published, 1 seed a student" in text
        and ", 3 epochs (240) and 64 features for 10 classes (256 for 100)." in text
    )
    assert "experiment (in brackets): data digits (cifar100), networks " in text and "(resnet32x4 → resnet8x4)" in text


def test_own_runs_are_shown_where_they_have_as_many_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seeds published; two of one student alone are less evidence, two of each as much; a folder named is shown.

    It is the same where one study is chosen, as in chapter 6.
    """
    monkeypatch.setenv("KDNB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("kdnb.paths.results", lambda name: tmp_path / "results" / name)
    specs = [SPEC, kd(4), replace(SPEC, init_seed=1), kd(4, init_seed=1)]
    kept, own = tmp_path / "results" / "digits", tmp_path / "runs" / "digits"
    store(kept, specs)
    chosen = selection.PaperParameters(profiles=("digits",))
    for mine, folder in ((specs[:3], kept), (specs, own)):
        store(own, mine)
        assert [found.folder for found in chosen.studies()] == [folder]
        assert selection.best(selection.ChapterParameters()).folder == folder
    store(tmp_path / "named", specs[:2])
    named = replace(chosen, output_dir=str(tmp_path / "named"))
    assert [found.folder for found in named.studies()] == [tmp_path / "named"]


def test_a_method_that_only_ones_own_runs_have_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed of it, where two are published of the others: whoever asks for it wants to see it."""
    monkeypatch.setenv("KDNB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("kdnb.paths.results", lambda name: tmp_path / "results" / name)
    kept, own = tmp_path / "results" / "digits", tmp_path / "runs" / "digits"
    store(kept, [SPEC, kd(4), replace(SPEC, init_seed=1), kd(4, init_seed=1)])
    store(own, [SPEC, replace(SPEC, method="at", method_parameters={"weight": 1000.0})])
    for methods, folder in ((("normal", "kd"), kept), (("normal", "at"), own)):
        (paper,) = selection.PaperParameters(profiles=("digits",), methods=methods).studies()
        assert paper.folder == selection.best(selection.ChapterParameters(methods=methods)).folder == folder


def test_cifar100_is_the_nearest_study_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDNB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("kdnb.paths.results", lambda name: tmp_path / "results" / name)
    chosen = selection.PaperParameters(profiles=("cifar100", "cifar100-small"))
    with pytest.raises(FileNotFoundError, match="make study"):
        chosen.studies()
    for name in ("cifar100-small", "cifar100-half"):
        store(tmp_path / "results" / name, [replace(spec, dataset="cifar100") for spec in (SPEC, kd(4))])
        assert [found.name for found in chosen.studies()] == list(dict.fromkeys([name, "cifar100-small"]))


def test_a_published_study_in_the_making_takes_no_sweeps_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one temperature yet; one's own runs are shown however few they are."""
    monkeypatch.setenv("KDNB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("kdnb.paths.results", lambda name: tmp_path / "results" / name)
    chosen = selection.PaperParameters(profiles=("cifar100",))
    sweep = [replace(spec, dataset="cifar100") for spec in (SPEC, kd(1), kd(4))]
    for folder, specs, shown in (
        ("results/cifar100-half", [sweep[0], sweep[2]], "cifar100-half"),
        ("results/cifar100-small", sweep, "cifar100-small"),
        ("runs/cifar100-half", [sweep[0], sweep[2]], "cifar100-half"),
    ):
        store(tmp_path / folder, specs)
        if folder.startswith("results"):
            (tmp_path / folder / "one").mkdir()
            (tmp_path / folder / "one" / "published.json").touch()
        (study,) = chosen.studies()
        assert study.name == shown
