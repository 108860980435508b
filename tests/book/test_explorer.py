"""The explorer: what is packed is what the runs hold, and every control is linked in JavaScript."""

import base64
import json
import shutil
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from ipywidgets import Widget
from made_up import SPEC, STUDENTS, kd, store, write

from kdnb.analysis.selection import ChapterParameters, load
from kdnb.analysis.study import Study
from kdnb.book import explorer_data, fragments, reading, widgets
from kdnb.figures import front_page
from kdnb.files import write_tensors


def unpacked(packed: explorer_data.Packed) -> np.ndarray:
    """What explorer.js computes, written out in Python."""
    if "f4" in packed:
        return np.frombuffer(base64.b64decode(packed["f4"]), "<f4").astype(float)
    steps = np.frombuffer(base64.b64decode(packed["u2"]), "<u2")
    return packed["low"] + (packed["high"] - packed["low"]) * steps / 65535


@pytest.fixture
def studies(tmp_path: Path) -> list[Study]:
    """Two weight decays of one data set, with traces of classifiers."""
    bare = [replace(SPEC, weight_decay=0.0), replace(kd(4), weight_decay=0.0)]
    store(tmp_path / "made-up", [*STUDENTS, *bare])
    for folder in (tmp_path / "made-up").iterdir():
        rng = np.random.default_rng(len(folder.name))
        tensors = {"weight": rng.normal(size=(24, 3, 4)).astype("f4"), "bias": np.zeros((24, 3), "f4")}
        write_tensors(folder / "classifier.safetensors", {k: torch.from_numpy(v) for k, v in tensors.items()}, {})
    known = ChapterParameters(output_dir=str(tmp_path / "made-up"))
    return [load(known), load(replace(known, weight_decay=0.0))]


def test_a_data_set_of_ones_own_has_each_of_its_weight_decays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name, which is no profile's, was taken for one."""
    monkeypatch.setenv("KDNB_RUNS", str(tmp_path))
    own = [replace(spec, dataset="mine", weight_decay=decay) for spec in (SPEC, kd(4)) for decay in (5e-4, 0.0)]
    store(tmp_path / "digits", own)
    chosen = explorer_data.ExplorerParameters(profiles=("digits",))
    found = [study for study in chosen.studies() for study in explorer_data._studies(study, chosen)]
    assert [(study.dataset, study.students[0].spec.weight_decay) for study in found] == [("mine", 5e-4), ("mine", 0.0)]


def test_curves_are_the_histories(studies: list[Study]) -> None:
    content = explorer_data.data(studies)
    assert content["sets"] == ["made-up"] and content["decays"] == [5e-4, 0.0] and content["temperatures"] == [1, 4, 10]
    for sweep, study in zip(content["sweeps"], studies, strict=True):
        for packed, run in zip(sweep["runs"], study.students, strict=True):
            assert packed["label"] == run.label
            for column, curve in packed["curves"].items():
                np.testing.assert_allclose(unpacked(curve), run.history[column], rtol=1e-6)


def test_rows_and_maps_are_exact_to_a_pixel(studies: list[Study]) -> None:
    study = studies[0]
    assert study.teacher is not None
    for packed, run in zip(explorer_data.data(studies)["sweeps"][0]["runs"], study.students, strict=True):
        rows = run.row_distances(study.teacher)
        np.testing.assert_allclose(unpacked(packed["rows"]), rows.ravel(), atol=np.ptp(rows) / 60_000)
        assert unpacked(packed["map"]["points"]).size == 2 * 60 and packed["map"]["epoch"] == 7


def test_a_student_without_a_matched_snapshot_has_no_map(tmp_path: Path, studies: list[Study]) -> None:
    next(studies[0].folder.glob("kd-T4*wd0.0005*/features-matched.safetensors")).unlink()
    maps = {run["label"]: run["map"] for run in explorer_data.data(studies)["sweeps"][0]["runs"]}
    assert [label for label, found in maps.items() if found is None] == ["KD T=4"]


def test_without_a_teachers_run_there_are_no_rows_and_all_else_is_there(studies: list[Study]) -> None:
    """Students of a checkpoint of one's own: no folder can hold a run of it."""
    shutil.rmtree(studies[0].folder / "teacher-s0")
    lone = [load(ChapterParameters(output_dir=str(studies[0].folder)))]
    (sweep,) = explorer_data.data(lone)["sweeps"]
    assert len(sweep["classes"]) == 3
    assert [run["rows"] for run in sweep["runs"]] == [None] * len(STUDENTS)
    assert all(unpacked(run["map"]["points"]).size == 2 * 60 and "mu_raw" in run["curves"] for run in sweep["runs"])


def test_a_weight_decay_whose_students_have_another_alpha_is_left_out(tmp_path: Path, studies: list[Study]) -> None:
    half = {"temperature": 4.0, "alpha": 0.5}
    write(studies[0].folder, replace(kd(4), weight_decay=1e-3, method_parameters=half))
    found = explorer_data._studies(studies[0], explorer_data.ExplorerParameters())
    assert [study.students[0].spec.weight_decay for study in found] == [5e-4, 0.0]


def test_every_control_is_linked_to_the_view_in_javascript(studies: list[Study]) -> None:
    before = set(Widget.get_manager_state()["state"])
    made = widgets.explorer(explorer_data.data(studies), name="explorer")
    state = {key: value for key, value in Widget.get_manager_state()["state"].items() if key not in before}
    links = {tuple(item["state"]["target"]) for item in state.values() if item["model_name"] == "LinkModel"}
    view = f"IPY_MODEL_{made.view.model_id}"
    traits = ("data_set", "decay", "method", "temperature", "kind", "warm_up", "followed")
    assert {(view, trait) for trait in traits} <= links
    assert made.controls["temperature"].label == "4" and made.view.temperature == 1
    assert len(json.dumps(state, default=str)) < 1_500_000


def test_the_temperature_nearest_to_the_papers_peak_is_shown_first(studies: list[Study]) -> None:
    content = explorer_data.data(studies) | {"temperatures": [1, 9, 5]}
    assert widgets.explorer(content, name="explorer").view.temperature == 2


def test_python_hears_what_is_chosen(studies: list[Study]) -> None:
    content = explorer_data.data(studies)
    made = widgets.explorer(content, name="explorer")
    told = made.listen(lambda choice: str(getattr(explorer_data.chosen(studies, content, choice), "label", None)))
    assert told.value == "KD T=4"
    made.view.temperature = 2
    assert told.value == "KD T=10"
    made.view.temperature = 0
    assert told.value == "KD T=1"
    made.view.method = 2
    assert told.value == "DIST"
    made.view.decay = 1
    assert told.value == "None"
    assert "not trained" in explorer_data.Explored(studies, content).last_epoch(made.choice)


def test_the_last_epoch_is_told_whole(studies: list[Study]) -> None:
    run, content = studies[0].kd[4], explorer_data.data(studies)
    choice = widgets.explorer(content, name="explorer").choice
    html = explorer_data.Explored(studies, content).last_epoch(choice)
    assert all(column in html for column in run.history) and f"{run.history['mu_raw'].iloc[-1]:.5g}" in html


def test_the_first_page_answers_from_the_runs(studies: list[Study]) -> None:
    run = studies[0].kd[4]
    after = run.history[run.history["epoch"] > 12]
    moves = [after[c].iloc[-1] / after[c].iloc[0] - 1 for c in ("mu_raw", "bystander_mu_raw")]
    text = front_page.drift(studies[0])
    assert all(f"{move:+.1%}".replace("-", "−") in text for move in moves)
    assert text.startswith("**Yes" if moves[0] < min(0, moves[1]) else "**No") and "too few to be sure" in text
    assert "cannot be told" in front_page.needed(studies[0])
    assert len(front_page.minute(studies).split("\n- ")) == 4


def test_reading_time_is_the_sum_of_what_pages_say(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("*What you will learn: all. 12 minutes.* The study takes 90 minutes.")
    (tmp_path / "glossary.md").write_text("# Glossary")
    cells = [nbformat.v4.new_markdown_cell("*What you will learn: more. 5 minutes, or the section that you need.*")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "page.ipynb")
    assert reading.minutes(tmp_path / name for name in ("page.md", "glossary.md", "page.ipynb")) == 17


def test_readers_without_scripts_get_pictures_of_the_first_study(studies: list[Study]) -> None:
    """What the saved state holds is found by the book, drawn, and says of which runs it is."""
    made = widgets.explorer(explorer_data.data(studies), name="explorer")
    state = Widget.get_manager_state()["state"]
    output = nbformat.v4.new_output("display_data", {fragments.VIEW: {"model_id": made.model_id}})
    cell = nbformat.v4.new_code_cell("", outputs=[output])
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {fragments.STATE: {"state": state}}})
    found = list(fragments.figures(notebook))
    assert [figure.name for figure in found] == ["explorer-mu", "explorer-r"]
    for figure in found:
        assert figure.alt and len(figure.spec["data"]) >= 2
        assert not figure.spec["layout"].get("updatemenus") and not figure.spec["layout"].get("sliders")
        of_sweeps = [step["layout"]["meta"]["runs"] for step in figure.steps]
        assert [len(runs) for runs in of_sweeps] == [len(study.students) + 1 for study in studies]
