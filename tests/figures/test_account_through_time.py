"""Figures of the account of mu through time, by phase, and what only the teacher shows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawable import drawable
from made_up import SPEC, STUDENTS, kd, rounded, steps, store, write
from scipy import stats as scipy_stats

from kdnb.analysis import accounts, selection
from kdnb.analysis.selection import ChapterParameters, Study
from kdnb.figures.account import through_time
from kdnb.figures.alignment.terms import amount
from kdnb.runs import Run, RunSpec

RESULTS = Path(__file__).resolve().parents[2] / "results"
CAUSES = {"normal": ("ce", "decay"), "kd": ("ce", "kd", "decay")}
EPOCHS = SPEC.epochs
SPECS = [replace(spec, init_seed=seed) for seed in range(4) for spec in (SPEC, kd(2), kd(4))]


class Walks:
    """Students whose classifiers take one known step a cause and epoch; their account is computed from matrices."""

    def __init__(self, folder: Path, specs: list[RunSpec]) -> None:
        self.rng = np.random.default_rng(1)
        self.teacher, self.bystander = self.rng.normal(size=(2, 4, 6))
        self.study = store(folder, specs)
        self.moved: dict[Path, np.ndarray] = {}
        for run in {id(r): r for r in (*self.study.students, *self.study.every)}.values():
            run.__dict__["history"] = self.history(run)

    def history(self, run: Run) -> object:
        """The columns of the account, from steps u of each cause on W_s (towards W_t for the distillation at T = 4)."""
        names = CAUSES[run.spec.method]
        steps = self.rng.normal(size=(len(names), EPOCHS, 4, 6))
        if run.spec.method_parameters.get("temperature") == 4:
            steps[names.index("kd")] += 0.5 * (self.teacher - self.bystander)
        whole = steps.sum(0)
        start = self.rng.normal(size=(4, 6))
        before = start + np.cumsum(whole, axis=0) - whole
        self.moved[run.path] = whole.sum(0)
        columns = {"spread": (whole**2).sum((1, 2))}
        for side, other in (("", self.teacher), ("bystander_", self.bystander)):
            pulls = {name: 2 * (u * (before - other)).sum((1, 2)) for name, u in zip(names, steps, strict=True)}
            columns |= {f"{side}pull_{name}": pull for name, pull in pulls.items()}
            columns[f"{side}mu_raw"] = np.linalg.norm(before + whole - other, axis=(1, 2))
        return run.history[["epoch", "loss"]].assign(**columns)


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> Walks:
    return Walks(tmp_path_factory.mktemp("runs"), SPECS)


def test_the_bookings_of_an_epoch_are_the_change_of_squared_mu(walks: Walks) -> None:
    for run in walks.study.every:
        for side in ("", "bystander_"):
            change = np.diff(run.history[f"{side}mu_raw"] ** 2)
            assert accounts.booked(run, side).sum(axis=1).to_numpy()[1:] == pytest.approx(change)


def test_what_only_the_teacher_shows_is_the_movement_along_their_difference(walks: Walks) -> None:
    """Excess of everything = -2 <W_s(end) - W_s(0), W_t - W_o>: no length of W_t, W_o or W_s is in it."""
    found = accounts.excesses(walks.study)["all together"]
    for label, runs in walks.study.by_seeds.items():
        for run in runs:
            expected = -2 * (walks.moved[run.path] * (walks.teacher - walks.bystander)).sum()
            assert found[label][run.spec.init_seed] == pytest.approx(expected)
            assert "spread" not in accounts.excess(run)


def test_sums_through_time_end_at_the_change_of_squared_mu_and_keep_their_colours(walks: Walks) -> None:
    figures, labels = steps(through_time.through(walks.study))
    assert labels == ["normal", "KD T=2", "KD T=4"]
    run = walks.study.kd[4]
    panels = [{t.name: t for t in figures[2].data if (t.yaxis or "y") == axis} for axis in ("y", "y2", "y3")]
    squared = run.history["mu_raw"].to_numpy() ** 2
    total = panels[0]["sum: μ² itself"]
    assert np.diff(total.y) == pytest.approx(np.diff(squared), abs=0.01 * squared.max())
    assert list(panels[0]["cross-entropy"].y) == rounded(np.cumsum(run.history["pull_ce"]))
    below = np.cumsum(run.history["pull_kd"] - run.history["bystander_pull_kd"])
    assert list(panels[2]["distillation (KD)"].y) == rounded(below)
    assert panels[2]["spread ‖ΔW‖²"].y[-1] is None
    assert panels[0]["cross-entropy"].line.color == through_time.bars.COLORS["ce"][1]
    assert len({len(fig.data) for fig in figures}) == 1


def test_phases_are_the_epochs_between_two_drops_and_leave_none_out(walks: Walks) -> None:
    spans = accounts.phases(walks.study.students[0])
    assert list(spans) == ["epochs 1–15", "epochs 16–18", "epochs 19–21", "epochs 22–24"]
    run = walks.study.kd[2]
    assert sum(accounts.moved(run, span) for span in spans.values()).to_dict() == pytest.approx(
        accounts.booked(run).sum().to_dict()
    )
    assert accounts.moved(run, (16, 18))["kd"] == pytest.approx(run.history["pull_kd"][15:18].sum())


def test_drops_at_one_epoch_or_at_the_end_make_no_empty_phase(tmp_path: Path) -> None:
    short = store(tmp_path, [replace(SPEC, epochs=3, drops=(2, 2, 3))])
    assert accounts.phases(short.students[0]) == {"epochs 1–2": (1, 2), "epochs 3–3": (3, 3)}


def test_a_bar_is_a_causes_share_of_all_that_moved_and_the_diamond_their_sum(walks: Walks) -> None:
    fig = through_time.by_phase(walks.study).figure
    second = {t.name: t for t in fig.data if t.yaxis == "y2"}
    bars = np.array([[value or 0 for value in t.y] for t in second.values() if t.type == "bar"], float)
    assert np.abs(bars).sum(0) == pytest.approx([1, 1, 1], abs=2e-3)
    assert list(second["sum"].y) == pytest.approx(bars.sum(0), abs=2e-3)
    found = accounts.moved(walks.study.kd[4], (16, 18))
    assert second["distillation (KD)"].y[2] == pytest.approx(found["kd"] / found.abs().sum(), abs=1e-3)
    assert second["distillation (KD)"].y[0] is None
    shown = [trace.name for trace in fig.data if trace.showlegend]
    assert len(shown) == len(set(shown)) == 5


def test_the_sentence_names_the_cause_that_moved_most_in_each_phase(walks: Walks) -> None:
    text = through_time.phase_sentence(walks.study).split("What moved μ² of **normal**")[0]
    for name, (first, last) in accounts.phases(walks.study.kd[4]).items():
        rows = walks.study.kd[4].history[first - 1 : last]
        sums = {n: rows[c].sum() for n, c in (("cross-entropy", "pull_ce"), ("distillation (KD)", "pull_kd"))}
        sums |= {"weight decay": rows["pull_decay"].sum(), "spread ‖ΔW‖²": rows["spread"].sum()}
        most = max(sums, key=lambda cause: abs(sums[cause]))
        expected = f"in {name} {most} ({amount(sums[most])}, all together {amount(sum(sums.values()))})"
        assert expected in text.replace("<sup>2</sup>", "²")


def test_a_cause_that_brings_nearer_can_be_the_one_that_moved_most(tmp_path: Path) -> None:
    study = store(tmp_path, [SPEC])
    run = study.students[0]
    run.__dict__["history"] = run.history.assign(pull_decay=-100.0, pull_ce=50.0, spread=1.0)
    assert "in epochs 16–18 weight decay (−300, all together −147)" in through_time.phase_sentence(study)


def test_half_of_the_largest_sum_is_dated(walks: Walks) -> None:
    run = walks.study.kd[4]
    sums = accounts.booked(run).cumsum()
    most = sums.iloc[-1].abs().idxmax()
    half = next(e for e in sums.index if abs(sums[most][e]) >= abs(sums[most][EPOCHS]) / 2)
    text = through_time.through_sentence(walks.study)
    assert f"half of it was there after epoch {half} of 24" in text
    assert f"teacher minus bystander, {amount(accounts.excess(run).to_numpy().sum())}." in text


def test_excess_is_shown_over_seeds_and_the_temperature_that_was_planted_is_found(walks: Walks) -> None:
    found = accounts.excesses(walks.study)
    fig = through_time.excess_by_temperature(walks.study, found).figure
    mean = next(t for t in fig.data if t.name == "distillation" and t.error_y.array is not None)
    runs = walks.study.by_seeds["KD T=4"]
    values = [(run.history["pull_kd"] - run.history["bystander_pull_kd"]).sum() for run in runs]
    assert mean.y[list(mean.x).index("T=4")] == pytest.approx(np.mean(values), rel=1e-3)
    text = through_time.excess_sentence(walks.study, found)
    assert "is least at **T = 4**" in text
    below = sum(
        scipy_stats.ttest_1samp([*found["distillation"][label].values()], 0, alternative="less").pvalue < 0.025
        for label in ("KD T=2", "KD T=4")
    )
    assert below and f"for distillation below zero at {below} and above" in text
    assert found["distillation"]["normal"] == {}


def test_published_excess_is_the_difference_of_two_published_changes_of_squared_mu() -> None:
    """From the first epoch's end to the last: nothing but mu itself is read for what is expected."""
    study = selection.load(ChapterParameters(output_dir=str(RESULTS / "digits")))
    assert study.students
    for run in study.students:
        sides = [run.history[f"{side}mu_raw"].to_numpy() ** 2 for side in ("", "bystander_")]
        expected = (sides[0][-1] - sides[0][0]) - (sides[1][-1] - sides[1][0])
        later = accounts.excess(run).loc[2:].to_numpy().sum()
        assert later == pytest.approx(expected, abs=1e-4 * sides[0][-1]), run.label


@pytest.mark.parametrize("without", ["$^", "^bystander", "pull|spread|account"])
def test_every_figure_can_be_drawn_without_scripts_whatever_was_measured(tmp_path: Path, without: str) -> None:
    study: Study = store(tmp_path, STUDENTS, without=without)
    found = accounts.excesses(study)
    for fig in (
        through_time.through(study).figures[1],
        through_time.by_phase(study).figure,
        through_time.excess_by_temperature(study, found).figure,
    ):
        drawable(fig)
    texts = [
        through_time.through_sentence(study),
        through_time.phase_sentence(study),
        through_time.excess_sentence(study, found),
    ]
    assert not [text for text in texts if "nan" in text]
    assert ("without an account" in texts[1]) == ("pull" in without)


def test_a_student_without_an_account_leaves_its_step_and_bar_empty(tmp_path: Path) -> None:
    frozen = replace(SPEC, method="frozen", method_parameters={"temperature": 4.0, "alpha": 0.9})
    store(tmp_path, [SPEC])
    write(tmp_path, frozen, without="pull|spread|account")
    study = selection.load(ChapterParameters(output_dir=str(tmp_path), methods=("normal", "frozen")))
    full, empty = through_time.through(study).figures
    assert any(y is not None for trace in full.data for y in trace.y)
    assert all(y is None for trace in empty.data for y in trace.y)
    bars = [list(trace.y) for trace in through_time.by_phase(study).figure.data]
    assert {len(y) for y in bars} == {2} and {y[1] for y in bars} == {None}
