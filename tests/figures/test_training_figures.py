"""Figures of training show what the store holds."""

import base64
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdnb import data
from kdnb.figures import training
from kdnb.runs import Run, find


def picture(source: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB"))


def test_the_middle_of_the_grid_is_the_image_itself() -> None:
    digits = data.load("digits")
    grid = picture(training._view_grid(digits, 3).data[0].source)[:: training.SCALE, :: training.SCALE, 0]
    index = int((digits.train.labels == 3).nonzero()[0, 0])
    assert grid.shape == (26, 26)
    np.testing.assert_array_equal(grid[9:17, 9:17], digits.train.images[index, 0].numpy())
    # The upper left view is cropped at offset (0, 0): black padding above and left, the image moved down and right.
    assert not grid[0, :8].any() and not grid[:8, 0].any()
    np.testing.assert_array_equal(grid[1:8, 1:8], digits.train.images[index, 0, :7, :7].numpy())


def test_curves_are_the_history(tiny_runs: list[Run]) -> None:
    (run,) = [run for run in tiny_runs if run.label == "KD T=4"]
    traces = {trace.name: trace for trace in training._curves(run).data}
    assert len(traces) == 7
    np.testing.assert_allclose(traces["of which kd"].y, run.history["loss_kd"], atol=1e-5)
    np.testing.assert_allclose(traces["test accuracy"].y, run.history["test_accuracy"], atol=1e-5)


def test_class_similarity_is_the_cosine_of_centred_rows(tiny_runs: list[Run]) -> None:
    run = tiny_runs[0]
    shown = np.asarray(training._class_similarity(run, 2, list("0123456789")).data[0].z)
    weight = run.trace()[0][1] - run.trace()[0][1].mean(0)
    for i, j in ((0, 0), (2, 7)):
        expected = weight[i] @ weight[j] / np.linalg.norm(weight[i]) / np.linalg.norm(weight[j])
        assert shown[i, j] == pytest.approx(expected, abs=6e-4)


def test_class_names_are_drawn_as_text_not_as_html(tiny_runs: list[Run]) -> None:
    names = ["<b>cat</b>", "R&D", "a<br>b", *"3456789"]
    drawn = training._class_similarity(tiny_runs[0], 2, names).data[0]
    assert list(drawn.x[:3]) == ["&lt;b&gt;cat&lt;/b&gt;", "R&amp;D", "a&lt;br&gt;b"] and list(drawn.y) == list(drawn.x)


def test_results_are_of_the_last_epoch(tiny_runs: list[Run]) -> None:
    table = training.results(tiny_runs)
    for run in tiny_runs:
        last = run.history.iloc[-1]
        assert table.loc[run.label, "test, last epoch (%)"] == pytest.approx(100 * last["test_accuracy"], abs=0.01)
        assert table.loc[run.label, "μ"] == pytest.approx(last["mu_raw"], abs=0.006)


def test_the_sentence_holds_the_largest_imbalance(tiny_folder: Path, tiny_runs: list[Run]) -> None:
    errors = [
        (run.history[f"{prefix}account_residual"] / run.history[f"{prefix}mu_raw"] ** 2).abs().max()
        for run in tiny_runs
        for prefix in ("", "bystander_")
    ]
    assert f"{max(errors):.1e}" in training.students_sentence(tiny_runs)
    (teacher, _) = find(tiny_folder, role="teacher")
    sentence = training.teacher_sentence(teacher, data.load("digits", limit=128))
    assert f"{100 * teacher.history['test_accuracy'].iloc[-1]:.2f} % of the test images" in sentence


def test_provenance_has_a_row_a_session(tiny_runs: list[Run]) -> None:
    table = training.provenance_table(tiny_runs)
    (row,) = table.itertuples()
    assert row.epochs == "1 to 3" and row.runs == ", ".join(run.label for run in tiny_runs)


def test_jobs_that_start_in_the_same_second_keep_their_rows(tmp_path: Path, tiny_runs: list[Run]) -> None:
    session = tiny_runs[0].provenance["sessions"][0]
    runs = [Run(tmp_path / name) for name in ("one", "other")]
    for run, original in zip(runs, tiny_runs, strict=False):
        shutil.copytree(original.path, run.path)
        run.write_provenance({"sessions": [session | {"group": [run.path.name]}]})
    assert training.provenance_table(runs)["runs"].tolist() == [original.label for original in tiny_runs[:2]]
