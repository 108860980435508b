"""Figures of the account of mu: in all, through time, and what only the teacher shows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawable import drawable
from made_up import SPEC, STUDENTS, kd, rounded, steps, store, write
from scipy import stats as scipy_stats

from kdnb.analysis import accounts, selection
from kdnb.analysis.selection import ChapterParameters
from kdnb.analysis.study import Study
from kdnb.figures import style
from kdnb.figures.account import bars, through_time
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
    panels = [{t.name: t for t in figures[2].data if (t.yaxis or "y") == axis} for axis in ("y", "y2")]
    squared = run.history["mu_raw"].to_numpy() ** 2
    total = panels[0]["sum: μ² itself"]
    assert np.diff(total.y) == pytest.approx(np.diff(squared), abs=0.01 * squared.max())
    assert list(panels[0]["cross-entropy"].y) == rounded(np.cumsum(run.history["pull_ce"]))
    below = np.cumsum(run.history["pull_kd"] - run.history["bystander_pull_kd"])
    assert list(panels[1]["distillation (KD)"].y) == rounded(below)
    assert panels[1]["spread ‖ΔW‖²"].y[-1] is None
    assert panels[0]["cross-entropy"].line.color == through_time.bars.COLORS["ce"][1]
    assert len({len(fig.data) for fig in figures}) == 1


def test_half_of_the_largest_sum_is_dated(walks: Walks) -> None:
    run = walks.study.kd[4]
    sums = accounts.booked(run).cumsum()
    most = sums.iloc[-1].abs().idxmax()
    half = next(e for e in sums.index if abs(sums[most][e]) >= abs(sums[most][EPOCHS]) / 2)
    text = through_time.through_sentence(run)
    assert f"half of it by epoch {half} of 24" in text and text.startswith(f"**{'Early' if half <= 12 else 'Late'}")
    assert f"to the bystander to {amount(accounts.booked(run, 'bystander_').to_numpy().sum())}." in text


def test_a_bar_is_a_causes_share_of_all_that_moved_and_the_diamond_their_sum(walks: Walks) -> None:
    made = bars.account(walks.study)
    shown = {trace.name: trace for trace in made.figure.data}
    parts = np.array([[value or 0 for value in t.y] for t in shown.values() if t.type == "bar"], float)
    assert np.abs(parts).sum(0) == pytest.approx([1, 1, 1], abs=2e-3)
    assert list(shown["sum"].y) == pytest.approx(parts.sum(0), abs=2e-3)
    runs = walks.study.by_seeds["KD T=4"]
    means = {c: np.mean([run.history[c].sum() for run in runs]) for c in ("pull_ce", "pull_kd", "pull_decay", "spread")}
    whole = sum(abs(value) for value in means.values())
    assert shown["distillation (KD)"].y[2] == pytest.approx(means["pull_kd"] / whole, abs=1e-3)
    assert shown["distillation (KD)"].y[0] is None
    largest = sorted(means, key=lambda cause: -abs(means[cause]))
    told = style.joined(f"{bars.cause_look(c.removeprefix('pull_'))[0]} {amount(means[c])}" for c in largest[:2])
    assert made.answer.startswith(f"**On digits most {told}, all causes {amount(sum(means.values()))}, to the ")
    other = np.mean([run.history.filter(regex="^bystander_pull_|^spread$").sum().sum() for run in runs])
    assert f", to the bystander {amount(other)} (KD T=4, mean over 4 seeds)" in made.answer


@pytest.mark.parametrize(
    ("causes", "off", "said"),
    [
        (["kd"], 0.3, "to the bystander otherwise by distillation (KD),"),
        (["kd"], 0.0, "to the bystander alike as far as can be seen,"),
        (["kd", "decay"], 0.3, "to the bystander alike as far as can be seen,"),  # one interval of two may be chance
    ],
)
def test_whether_a_cause_pulls_to_one_teacher_alone_is_told_by_intervals_beyond_chance(
    walks: Walks, monkeypatch: pytest.MonkeyPatch, causes: list[str], off: float, said: str
) -> None:
    def turned(run: Run, _: object) -> pd.Series:
        noise = 0.01 * (run.spec.init_seed - 1.5)
        return pd.Series({"kd": off + noise, "decay": noise})[causes]

    monkeypatch.setattr(bars.accounts, "turned", turned)
    made = bars.account(walks.study, replace(walks.study, name="other"))
    assert all(text.endswith(f"{said} on digits and other.**") for text in (made.brief, made.answer))


def test_a_pull_is_the_cosine_that_it_turns_the_classifier_by(walks: Walks, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the matrices: <W_s, W_t - W_o>, all its causes together, by the product of the lengths."""
    run = walks.study.by_seeds["KD T=4"][0]
    monkeypatch.setitem(run.__dict__, "history", run.history.assign(weight_norm=2.0))
    found = accounts.turned(run, {(SPEC.teacher or {})["checksum"]: float(np.linalg.norm(walks.teacher))})
    moved = (walks.moved[run.path] * (walks.teacher - walks.bystander)).sum()
    expected = moved / np.linalg.norm(walks.teacher) / 2.0
    assert found.sum() == pytest.approx(expected) and found["kd"] > 0  # what was planted
    assert accounts.turned(run, {}).empty


def test_excess_is_shown_over_seeds_and_the_temperature_that_was_planted_is_found(walks: Walks) -> None:
    found = accounts.excesses(walks.study)
    fig = through_time.excess_by_temperature(walks.study).figure
    mean = next(t for t in fig.data if t.name == "distillation" and t.error_y.array is not None)
    runs = walks.study.by_seeds["KD T=4"]
    values = [(run.history["pull_kd"] - run.history["bystander_pull_kd"]).sum() for run in runs]
    assert mean.y[list(mean.x).index("T=4")] == pytest.approx(np.mean(values), rel=1e-3)
    text = through_time.drawn(walks.study, found)
    assert text.startswith("yes on digits, where the interval ") and "at T=4, where the pull is least" in text
    p = {t: scipy_stats.ttest_1samp([*found["distillation"][f"KD {t}"].values()], 0).pvalue for t in ("T=2", "T=4")}
    assert p["T=4"] < 0.05 < p["T=2"]
    assert "leaves out zero at 1 of 2 temperatures (below it T=4), no more than chance; " in text
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
    for made in (
        through_time.through(study),
        bars.account(study),
        through_time.excess_by_temperature(study),
    ):
        for fig in made.figures[:2]:
            drawable(fig)
    texts = [
        through_time.through_sentence(study.students[1]),
        bars.sentence(study),
        through_time.drawn(study, accounts.excesses(study)),
    ]
    assert not [text for text in texts if "nan" in text]
    assert all("cannot be told" in text for text in texts) == ("pull" in without)


def test_a_student_without_an_account_leaves_its_step_and_bar_empty(tmp_path: Path) -> None:
    frozen = replace(SPEC, method="frozen", method_parameters={"temperature": 4.0, "alpha": 0.9})
    store(tmp_path, [SPEC])
    write(tmp_path, frozen, without="pull|spread|account")
    study = selection.load(ChapterParameters(output_dir=str(tmp_path), methods=("normal", "frozen")))
    full, empty = through_time.through(study).figures
    assert any(y is not None for trace in full.data for y in trace.y)
    assert all(y is None for trace in empty.data for y in trace.y)
    shown = [list(trace.y) for trace in bars.account(study).figure.data]
    assert {len(y) for y in shown} == {2} and {y[1] for y in shown} == {None}
