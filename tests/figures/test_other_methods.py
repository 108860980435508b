"""Figures of other methods than the paper's own: chosen by name, told apart, and drawn where mu is missing or still."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up import SPEC, kd, luminance, write

from kdnb import methods as known
from kdnb.analysis import correlations, maps, mismatched_pairs, selection
from kdnb.analysis.selection import ChapterParameters, MapParameters
from kdnb.analysis.students import ORDER
from kdnb.analysis.study import Study
from kdnb.book.drawing import _INKS
from kdnb.claims import paper
from kdnb.figures import style, training, tsne
from kdnb.figures.account import bars
from kdnb.figures.correlation import accuracy, norms, over_temperature
from kdnb.figures.mu_curves import alike, over_epochs
from kdnb.runs import Run, RunSpec

ODD = ("simkd", "frozen", "permuted", "fitnet")


def spec(method: str, **changes: object) -> RunSpec:
    parameters = known.parameters_of(known.create(method))
    return replace(SPEC, method=method, method_parameters=parameters, **changes)  # type: ignore[arg-type]


def altered(run: Run, method: str) -> None:
    """What the tracker leaves out for SimKD, and what never moves under a frozen classifier."""
    table = run.history
    if method == "simkd":
        gone = [c for c in table if "mu_" in c or "pull_" in c or c in ("spread", "account_residual")]
        table = table.drop(columns=[*gone, "plug_in_accuracy", "plug_in_accuracy_matched", "classifier_cosine"])
    if method in ("frozen", "permuted"):
        table = table.drop(columns=[c for c in table if "pull_" in c or c in ("spread", "account_residual")])
        table[[c for c in table if "mu_" in c]] = 0.0 if method == "frozen" else 3.0
    table.to_parquet(run.path / "history.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("methods")
    for one in (SPEC, kd(4), kd(4, init_seed=1), *(spec(name, init_seed=seed) for name in ODD for seed in (0, 1))):
        altered(write(folder, one), one.method)
    return folder


def study(folder: Path, *names: str) -> Study:
    return selection.load(ChapterParameters(output_dir=str(folder), methods=list(names)))


# ------------------------------------------------------------------------------------------------------------ choosing
def test_chapters_show_the_papers_methods_unless_others_are_named(folder: Path) -> None:
    usual = selection.load(ChapterParameters(output_dir=str(folder)))
    assert [run.label for run in usual.students] == ["normal", "KD T=4"]
    assert {run.spec.method for run in usual.every} == {"normal", "kd"}
    named = study(folder, "simkd", "normal", "frozen")
    assert [run.label for run in named.students] == ["normal", "SimKD", "frozen at W_t"]


def test_an_unknown_or_empty_choice_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="unknown method 'simdk'.*Did you mean 'simkd'"):
        study(folder, "simdk")
    with pytest.raises(ValueError, match="methods is .*; it must be a list that is not empty"):
        study(folder)
    with pytest.raises(FileNotFoundError, match=r"methods crd \(there: .*frozen"):
        study(folder, "crd")


def test_runs_of_one_method_with_other_parameters_have_labels_of_their_own() -> None:
    usual = known.parameters_of(known.create("started"))
    assert known.label("started", usual) == "started at W_t"
    assert known.label("started", usual | {"temperature": 10.0}) == "started at W_t temperature=10"
    assert known.label("dist", known.parameters_of(known.create("dist", {"temperature": 1.0}))) == "DIST temperature=1"


# --------------------------------------------------------------------------------------------------------------- looks
def test_every_method_has_its_place_and_a_look_of_its_own() -> None:
    assert sorted(ORDER) == sorted(known.METHODS) and len(set(ORDER)) == len(ORDER)
    assert set(style.LINES) | {"kd"} == set(known.METHODS)
    looks = list(style.LINES.values())
    assert len(set(looks)) == len(looks)
    assert style.line_of("of no file here") == (style.OTHER, "dashdot")
    symbols = [style.symbol_of(name) for name in [*ORDER, "of no file here"]]
    assert len(set(symbols)) == len(symbols)


def test_each_of_one_s_own_methods_has_its_look(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ["angle", "direction", "mine", "other", "yours"]
    monkeypatch.setattr(style, "OWN", own)
    looks = [style.line_of(name) for name in own]
    assert len(set(looks)) == len({dash for _, dash in looks}) == len({color for color, _ in looks}) == len(own)
    assert len({style.symbol_of(name) for name in [*ORDER, *own]}) == len(ORDER) + len(own)


def test_families_are_told_apart_by_colour_on_light_and_dark_pages() -> None:
    colors = [style.NORMAL, style.DIST, style.MSE, *style.FAMILIES]
    assert len(set(colors)) == len(colors)
    for _, ground in _INKS.values():
        for color in colors:
            light, dark = sorted((luminance(rgb(c)) + 0.05 for c in (color, ground)), reverse=True)
            assert light / dark > 2.2, (color, ground)


def rgb(color: str) -> str:
    return f"rgb({', '.join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))})"


# -------------------------------------------------------------------------------------- figures without mu, or still mu
@pytest.mark.parametrize("names", [("simkd",), ("frozen",), ("permuted",), ("fitnet",), (*ODD, "normal", "kd")])
def test_every_figure_and_sentence_of_the_chapters_can_be_made(folder: Path, names: tuple[str, ...]) -> None:
    shown = study(folder, *names)
    of_study = (over_epochs.selected, over_epochs.curves, over_epochs.animation, alike.dist, norms.by_temperature)
    of_study += (bars.account, accuracy.by_temperature, over_temperature.scatter, tsne.cosine)
    found = maps.spaces(shown, "test", "matched")
    exhibits = [
        *(make(shown) for make in of_study),
        tsne.row(found, maps.maps(found, MapParameters(points=30, perplexity=5))),
        tsne.measures(found, maps.measured(found)),
    ]
    training.results(shown.students), training.students_sentence(shown.students), paper.judge(shown.every)
    texts = [text for made in exhibits for text in (made.answer, made.says, made.table)]
    assert [text for text in texts if "nan" in text.lower() or "inf " in text] == []


def test_what_has_no_mu_says_so(folder: Path) -> None:
    shown = study(folder, "simkd")
    assert "cannot be told" in over_epochs.order(shown) and "SimKD has no r here" in over_temperature.sentence(shown)
    assert all(value is None for value in over_epochs.curves(shown).figure.data[0].y)


def test_what_never_moves_has_no_change_and_no_r(folder: Path) -> None:
    frozen, permuted = study(folder, "frozen"), study(folder, "permuted")
    for shown in (frozen, permuted):
        assert np.isnan(correlations.r_after(shown.students[0], 12))
        assert mismatched_pairs.pairs(shown).empty


def test_results_leave_a_gap_where_there_is_no_mu(folder: Path) -> None:
    table = training.results(study(folder, "simkd", "permuted").students)
    assert table["μ"].isna().tolist() == [True, False] and table["‖W‖"].notna().all()
