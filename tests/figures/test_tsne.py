"""Figures of t-SNE say what the snapshots say; and every figure survives an incomplete store."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up import SPEC, STUDENTS, kd, lasting, rounded, store, write

from kdnb.analysis import maps as mapss
from kdnb.analysis import selection
from kdnb.analysis.selection import ChapterParameters, MapParameters
from kdnb.analysis.study import Study
from kdnb.book import drawing, widgets
from kdnb.figures import claim_words, tsne
from kdnb.figures.account import bars
from kdnb.figures.correlation import accuracy, norms, over_temperature
from kdnb.figures.exhibit import Exhibit
from kdnb.figures.mu_curves import alike, over_epochs
from kdnb.files import write_json
from kdnb.runs import Run, RunSpec


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return store(tmp_path_factory.mktemp("runs"))


# ---------------------------------------------------------------------------------------------------------- features
@pytest.fixture(scope="module")
def spaces(study: Study) -> mapss.Spaces:
    return mapss.spaces(study, "test", "matched")


def turned(spaces: mapss.Spaces) -> dict[str, np.ndarray]:
    """Stands for maps: two of the features."""
    return {label: taken.features[:, :2].astype(float) for label, taken in spaces.networks.items()}


def test_maps_show_the_same_images_in_every_panel_by_class(spaces: mapss.Spaces) -> None:
    fig = tsne.row(spaces, turned(spaces)).figure
    assert len(fig.data) == 5 * 3  # networks of Fig. 2, classes
    assert {len(trace.x) for trace in fig.data} == {20}
    assert sum(bool(trace.showlegend) for trace in fig.data) == 3
    assert len({tuple(axis.range) for axis in [*fig.select_xaxes(), *fig.select_yaxes()]}) == 1
    sheet = tsne.sheet(spaces, turned(spaces)).figure
    titles = [note.text for note in sheet.layout.annotations]
    assert titles == ["normal", "T=1", "T=4", "T=10", "DIST", "MSE", "teacher"]
    assert len({tuple(axis.range) for axis in sheet.select_xaxes()}) == 1


def test_tsne_starts_from_the_teacher_and_takes_the_first_points(spaces: mapss.Spaces) -> None:
    few = mapss.Spaces(spaces.study, {k: spaces.networks[k] for k in ("normal", "teacher")}, [], "test", "final")
    maps = mapss.maps(few, MapParameters(points=30, perplexity=5))
    assert few.reference == "teacher"
    assert {name: found.shape for name, found in maps.items()} == {"normal": (30, 2), "teacher": (30, 2)}


def test_measures_are_those_of_the_features(spaces: mapss.Spaces) -> None:
    table = mapss.measured(spaces)
    taken = spaces.networks["KD T=4"]
    means = np.stack([taken.features[taken.labels == k].mean(0) for k in range(3)])
    within = np.linalg.norm(taken.features - means[taken.labels], axis=1).mean()
    between = np.mean([np.linalg.norm(means[i] - means[j]) for i, j in ((0, 1), (0, 2), (1, 2))])
    assert table["ratio"]["KD T=4"] == pytest.approx(between / within, rel=1e-4)
    length = np.linalg.norm(taken.features, axis=1).mean()
    assert table["within_norm"]["KD T=4"] == pytest.approx(within / length, rel=1e-4)
    fig = tsne.measures(spaces, table).figure
    ratio = next(t for t in fig.data if t.name == "KD" and t.xaxis == "x3")
    assert ratio.y[1] == pytest.approx(between / within, rel=1e-3)


def test_a_student_without_a_matched_snapshot_is_named_and_left_out(tmp_path: Path) -> None:
    store(tmp_path, [SPEC, kd(1)])
    write(tmp_path, kd(4), matched=False)
    found = mapss.spaces(selection.load(ChapterParameters(output_dir=str(tmp_path))), "test", "matched")
    assert "never reached it: KD T=4" in tsne.compared(found)
    assert list(found.networks) == ["normal", "KD T=1", "teacher"]
    fig = tsne.measures(found, mapss.measured(found)).figure
    assert [list(trace.x) for trace in fig.data if trace.name == "KD"] == [[1]] * 6


def test_fig_5_is_the_cosine_beside_shuffled_pairs(study: Study) -> None:
    h = study.students[0].history
    for trace, column in zip(tsne.cosine(study).figure.data, tsne.COSINES, strict=True):
        assert list(trace.y) == rounded(h[column])
    start, end = h["feature_cosine"].iloc[[0, -1]]
    assert f"same image goes from {start:.2f} to {end:.2f}" in tsne.cosine_sentence(study)


@pytest.mark.parametrize("same, shuffled, so", [(0.1, 0.2, True), (0.2, 0.1, False), (-0.2, -0.1, False)])
def test_a_cosine_that_rises_no_farther_than_shuffled_pairs_says_so(
    study: Study, monkeypatch: pytest.MonkeyPatch, same: float, shuffled: float, so: bool
) -> None:
    ends = dict(zip(tsne.COSINES, (same, shuffled, 0.0, 0.0), strict=True))
    planted = study.students[0].history.assign(**{c: np.linspace(0.5, 0.5 + rise, 24) for c, rise in ends.items()})
    monkeypatch.setitem(study.students[0].__dict__, "history", planted)
    assert (" of shuffled pairs as far, from " in tsne.cosine_sentence(study)) == so


def test_classes_lie_farther_apart_only_at_temperatures_where_every_seed_agrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One seed answered for all."""
    study = store(tmp_path, [replace(spec, init_seed=seed) for seed in range(2) for spec in (SPEC, kd(1), kd(4))])
    found = mapss.spaces(study, "test", "matched")
    planted = {"normal": {0: 1.0, 1: 2.0}, "KD T=1": {0: 1.5, 1: 1.9}, "KD T=4": {0: 1.1, 1: 2.1}}
    for label, one in {"In part": "KD T=1", "Yes": "KD T=4", "No": "normal"}.items():
        monkeypatch.setattr(tsne, "_ratios", lambda _, name, one=one: planted["normal" if name == "normal" else one])
        every = {"In part": 0, "Yes": 2, "No": 0}[label]
        assert tsne.separated(found).startswith(f"**{label}: between / within is above normal training's")
        assert f" in every seed at {every} of 2 temperatures (2 seeds; " in tsne.separated(found)


def test_ratios_are_of_every_seed_that_has_a_space(tmp_path: Path) -> None:
    found = mapss.spaces(store(tmp_path, [replace(SPEC, init_seed=seed) for seed in range(2)]), "test", "matched")
    assert set(tsne._ratios(found, "normal")) == {0, 1} and tsne._ratios(found, "KD T=4") == {}
    assert tsne._ratios(found, "normal")[0] == mapss.measured(found)["ratio"]["normal"]


@pytest.mark.parametrize(
    "cosines, apart, so",
    [((1, 2, 3), (1, 2, 1), "As"), ((1, 2, 3), (1, 2, 3), "In part as"), ((3, 2, 1), (1, 2, 3), "Not as")],
)
def test_the_picture_is_held_against_the_papers(
    spaces: mapss.Spaces, monkeypatch: pytest.MonkeyPatch, cosines: tuple[int, ...], apart: tuple[int, ...], so: str
) -> None:
    """It says that classes come nearer in angle as T rises, and lie farthest apart at T = 4."""
    labels = [run.label for run in spaces.study.kd.values()]
    table = pd.DataFrame({"class_similarity": cosines, "between_norm": apart}, index=labels, dtype=float)
    monkeypatch.setattr(mapss, "measured", lambda _: table)
    assert tsne.similarity(spaces).startswith(f"**{so} the paper says: ")


def test_the_row_has_the_kd_students_that_there_are(tmp_path: Path) -> None:
    """Of another temperature, or without T squared, it used to leave them out and count them in its sentence."""
    plain = replace(kd(4), method_parameters={"temperature": 4.0, "alpha": 0.9, "squared": 0.0})
    for place, spec in enumerate((kd(2), plain)):
        folder = store(tmp_path / str(place), [SPEC, spec]).folder
        found = mapss.spaces(
            selection.load(ChapterParameters(output_dir=str(folder), squared=spec is not plain)), "test", "matched"
        )
        made = tsne.row(found, turned(found))
        titles = [note.text for note in made.figure.layout.annotations]
        assert titles == ["normal", spec.label.removeprefix("KD "), "teacher"]
        assert " of 1 temperature (1 seed; " in made.answer and made.says.startswith("2 students at ")
        assert "fewer than two KD students" in tsne.measures(found, mapss.measured(found)).answer
    alone = mapss.spaces(store(tmp_path / "alone", [SPEC]), "test", "matched")
    assert tsne.compared(alone).startswith("1 student at ")
    assert "KD" not in {trace.name for trace in tsne.measures(alone, mapss.measured(alone)).figure.data}


def test_students_are_compared_at_their_end_unless_all_matched_late(study: Study) -> None:
    """The made-up match is in epoch 7 of 24; in one of 12 it is in the second half."""
    assert mapss.late(study, "test").which == "final"


def test_a_temperature_is_named_without_the_factor(tmp_path: Path) -> None:
    plain = [replace(kd(t), method_parameters={"temperature": t, "alpha": 0.9, "squared": 0.0}) for t in (1.0, 4.0)]
    folder = store(tmp_path, [SPEC, *plain]).folder
    found = mapss.spaces(selection.load(ChapterParameters(output_dir=str(folder), squared=False)), "test", "matched")
    answer = tsne.measures(found, mapss.measured(found)).answer
    assert answer.startswith("**At T = ") and "squared" not in answer


def test_a_late_match_is_compared(tmp_path: Path) -> None:
    assert mapss.late(store(tmp_path, [lasting(spec, 12) for spec in STUDENTS[:3]]), "test").which == "matched"


# -------------------------------------------------------------------------------------------------- incomplete stores
def everything(study: Study) -> dict[str, list[Exhibit]]:
    """All that the three notebooks show but t-SNE itself."""
    found = mapss.spaces(study, "test", "matched")
    texts = [claim_words.sentence(claim_words.judged(study)), tsne.compared(found)]
    assert all(text.strip() and "nan" not in text for text in texts), texts
    of_mu = (over_epochs.selected, over_epochs.curves, over_epochs.animation, alike.dist, bars.account)
    return {
        "03": [make(study) for make in of_mu],
        "04": [
            *(make(study) for make in (norms.by_temperature, over_temperature.scatter, accuracy.by_temperature)),
        ],
        "05": [
            *(make(found, turned(found)) for make in (tsne.row, tsne.sheet)),
            tsne.measures(found, mapss.measured(found)),
            tsne.cosine(study),
        ],
    }


@pytest.mark.parametrize(
    ("specs", "epochs", "options"),
    [
        (STUDENTS[:3], 4, {}),
        (STUDENTS[:1], 2, {}),
        ([kd(7.5)], 3, {}),
        (STUDENTS[4:], 3, {}),
        (STUDENTS[:3], 1, {"matched": False}),
        ([replace(spec, bystander=None) for spec in STUDENTS[:3]], 8, {"without": "bystander|pull|spread|residual"}),
    ],
    ids=["notebook test", "normal", "one T", "no T", "one epoch", "no bystander"],
)
def test_every_figure_of_an_incomplete_store_is_drawn(
    tmp_path: Path, specs: list[RunSpec], epochs: int, options: dict[str, object]
) -> None:
    drawn = everything(store(tmp_path, [lasting(spec, epochs) for spec in specs], **options))
    exhibits = [made for chapter in drawn.values() for made in chapter]
    assert not [text for made in exhibits for text in (made.answer, made.says, made.table) if "nan" in text]
    for fig in [fig for made in exhibits for fig in made.figures]:
        said = [note.text for note in fig.layout.annotations if "no r" in note.text]
        assert (len(fig.data) > 0) != bool(said)
        assert fig.layout.height <= 700
        assert "NaN" not in json.dumps(drawing.compact(fig))


def test_without_any_snapshot_the_maps_say_what_to_do(tmp_path: Path) -> None:
    write(tmp_path, SPEC, matched=False)
    with pytest.raises(ValueError, match="lower matched_accuracy"):
        mapss.spaces(selection.load(ChapterParameters(output_dir=str(tmp_path))), "test", "matched")


def test_a_page_of_the_whole_paper_weighs_less_than_a_megabyte_and_a_half(tmp_path: Path) -> None:
    specs = [lasting(s, 240) for s in [*STUDENTS, *(kd(t) for t in (2, 3, 5, 6, 7, 8, 9))]]
    for chapter, exhibits in everything(store(tmp_path, specs, images=1000)).items():
        packed = [widgets.pack(made.figures) for made in exhibits if made.figures]
        size = sum(len(json.dumps(figures, ensure_ascii=False)) for figures in packed)
        assert size < 1.4e6, f"chapter {chapter}: {size} bytes"


def test_a_stepper_opens_where_it_is_told(study: Study) -> None:
    figures = {f"{cut} epochs": norms.draw(replace(study, warm_up=cut)) for cut in (0, 3, 6, 9, 12)}
    made = Exhibit(figures, name="r", alt="r against T.", step="warm-up")
    widget = widgets.stepper(replace(made, start="12 epochs"))
    assert (widget.slider.index, widget.view.index, widget.play.value) == (4, 4, 4)


def test_specs_of_the_store_are_what_a_run_writes(tmp_path: Path) -> None:
    """The made-up store is read as the real one is."""
    write_json(tmp_path / "spec.json", SPEC.as_json())
    assert Run(tmp_path).spec == SPEC
