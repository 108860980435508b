"""r of mu and of the norm: recomputed by hand, planted where the sign must follow, and on every published run."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_up import SPEC, STUDENTS, kd, store, write

from kdnb import paths, runs
from kdnb.analysis import norms, selection
from kdnb.analysis.selection import ChapterParameters, is_papers
from kdnb.analysis.students import PAPERS
from kdnb.figures.correlation import norms as drawn


class Planted(runs.Run):
    """A run with the given curves after a warm-up of ten epochs."""

    def __init__(self, norm: np.ndarray, loss: np.ndarray, cosine: float = 0.0) -> None:
        teacher = 3.0
        mu = np.sqrt(teacher**2 + norm**2 - 2 * teacher * norm * cosine)
        epochs = np.arange(1, len(norm) + 1)
        self.spec = type("Spec", (), {"epochs": len(norm), "label": "KD T=4", "init_seed": 0, "weight_decay": 0.0})()
        self.history = pd.DataFrame({"epoch": epochs, "mu_raw": mu, "weight_norm": norm, "loss": loss})


@pytest.mark.parametrize("growth", [1, -1])
def test_where_only_the_norm_moves_mu_its_sign_is_the_norms(growth: int) -> None:
    """Unrelated classifiers and a falling loss: r = -1 where the norm grows, +1 where it shrinks."""
    fall = np.linspace(2, 1, 20)
    found = norms.explained(Planted(5 - growth * fall, fall))
    assert found.r == pytest.approx(-growth, abs=1e-2) and found.gap < 1e-2
    assert np.sign(found.change) == growth and found.signs_agree


def test_an_angle_that_turns_is_not_explained() -> None:
    """The norm stands still and the cosine does not: r of mu says something that the norm cannot."""
    loss, noise = np.linspace(2, 1, 20), np.random.RandomState(0).randn(20)
    run = Planted(5 + 1e-6 * noise, loss)
    run.history["mu_raw"] = loss  # mu falls with the loss
    assert norms.explained(run).r == pytest.approx(1) and norms.explained(run).gap > 0.5


def published() -> list[runs.Run]:
    """The paper's methods at its temperatures, alpha and schedule, on the two studies that were looked at."""
    every = [run for name in ("digits", "cifar100-small") for run in runs.find(paths.results(name), role="student")]
    parameters = [(run, run.spec.method_parameters) for run in every if run.spec.method in PAPERS]
    cool = [run for run, given in parameters if given.get("temperature", 1) <= 10 and given.get("alpha", 0.9) == 0.9]
    return [run for run in cool if is_papers(run, True)]


def test_on_published_runs_r_of_mu_is_r_of_the_norm() -> None:
    """Both numbers again with numpy alone; most runs follow, and those that do not are counted, not hidden."""
    table = norms.table(published())
    gaps, agree = [], 0
    for run in published():
        after = run.history[run.history["epoch"] > run.spec.epochs / 2]
        mu, norm, loss = (after[name].to_numpy() for name in ("mu_raw", "weight_norm", "loss"))
        r, r_norm = np.corrcoef(mu, loss)[0, 1], np.corrcoef(norm, loss)[0, 1]
        gaps.append(abs(r - r_norm))
        agree += np.sign(r) == -np.sign(norm[-1] - norm[0])
    np.testing.assert_allclose(table["gap"], gaps, atol=1e-9)
    assert int(table["signs_agree"].sum()) == agree


def test_the_length_is_called_the_reason_where_the_books_statement_says_so(tmp_path: Path) -> None:
    """Over seeds: students of one seed are one draw."""
    study = store(tmp_path, [SPEC, kd(4)])
    opened = "Over seeds it is open whether r shows the length of W<sub>s</sub>: over 2 students"
    assert opened in drawn.sentence(study)
    for found, text in (
        ("holds", "What r shows is the length"),
        ("does not hold", "What r shows is not only the length"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(drawn, "verdict", lambda *_, found=found: SimpleNamespace(verdict=found))
            assert f". {text} of W<sub>s</sub>: over 2 students" in drawn.sentence(study)


def test_the_figure_has_a_curve_for_each_and_its_change(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = store(tmp_path_factory.mktemp("runs"), [SPEC, *STUDENTS]).folder
    write(folder, kd(4))
    study = selection.load(ChapterParameters(output_dir=str(folder)))
    fig = drawn.by_temperature(study).figure
    lines = [trace for trace in fig.data if "lines" in trace.mode]
    assert [line.name for line in lines] == [
        *(f"r of {name}" for name in drawn.CURVES.values()),
        "normal",
        f"change of {drawn.NORM}",
    ]
    assert all(list(line.x) == list(study.kd) for line in lines if line.name != "normal")
    run = study.kd[4.0]
    after = run.history[run.history["epoch"] > study.warm_up]["weight_norm"].to_numpy()
    assert lines[-1].y[list(study.kd).index(4.0)] == pytest.approx(after[-1] / after[0] - 1, rel=1e-3)
    found = norms.table(study.shown)
    assert f"over {len(found)} students" in drawn.sentence(study)
