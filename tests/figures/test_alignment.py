"""Alignment: rungs, teacher against bystander, norm and angle, plug-in."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawable import drawable
from made_up import SPEC, STUDENTS, TEACHER_SPEC, kd, rounded, steps, store, write
from scipy import stats as scipy_stats

from kdnb.analysis import alignment, lost, selection, words
from kdnb.analysis.over_seeds import estimate
from kdnb.analysis.selection import ChapterParameters
from kdnb.analysis.study import Study
from kdnb.book import widgets
from kdnb.figures.alignment import ladder, plug_in
from kdnb.figures.alignment import terms as parts
from kdnb.runs import Run, RunSpec

RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return store(tmp_path_factory.mktemp("runs"))


def last(run: Run, column: str) -> float:
    return float(run.history[column].iloc[-1])


def put(run: Run, **columns: object) -> None:
    """Columns in the place of the stored ones, for this object alone."""
    run.__dict__["history"] = run.history.assign(**columns)


# ---------------------------------------------------------------------------------------------------------- the ladder
def test_a_rung_is_the_last_epochs_and_every_mu_is_in_the_table(study: Study) -> None:
    made = ladder.ladder(study)
    dots = next(trace for trace in made.figure.data if trace.name == "rotated")
    assert list(dots.x) == ["normal", "T=1", "T=4", "T=10", "DIST", "MSE"]
    assert list(dots.y) == rounded([last(run, "mu_rotated") for run in study.students])
    assert made.table.count("<tr>") == len(ladder.NAMES) + len(lost.KINDS)
    assert f"{last(study.kd[4], 'mu_scaled'):.3g}" in made.table


def test_shares_are_of_the_same_students_raw_mu(study: Study) -> None:
    rows = lost.table(study)
    for kind in ("matched", "rotated"):
        gone = np.median([1 - last(run, f"mu_{kind}") / last(run, "mu_raw") for run in study.students])
        assert lost.medians(rows, kind)["teacher"] == pytest.approx(gone)
        assert f"{gone:.0%} {'is gone ' if kind == 'matched' else ''}once {kind}" in ladder.ladder_sentence({"x": rows})
    other = np.median([1 - last(run, "bystander_mu_rotated") / last(run, "bystander_mu_raw") for run in study.students])
    assert f"of μ to the bystander {words.number(other, '{:.0%}')}" in ladder.ladder_sentence({"digits": rows})


def test_teacher_and_bystander_are_compared_over_the_same_students(tmp_path: Path) -> None:
    """Those without a mu count in neither, and those without the bystander's not where others have it."""
    other = store(tmp_path, [SPEC, kd(1), kd(4)], without="bystander_mu")
    put(other.students[0], mu_raw=0.0)
    put(other.students[2], bystander_mu_raw=2.0, bystander_mu_matched=1.0)
    found = lost.medians(lost.table(other), "matched")
    own = 1 - last(other.students[2], "mu_matched") / last(other.students[2], "mu_raw")
    assert (found["students"], found["bystander"]) == (1, 0.5) and found["teacher"] == pytest.approx(own)
    assert lost.medians(lost.table(other), "rotated")["students"] == 2


def test_without_a_bystander_its_share_is_not_told(tmp_path: Path) -> None:
    alone = store(tmp_path, [SPEC], without="bystander")
    assert "bystander" not in ladder.ladder_sentence({"digits": lost.table(alone)})


def test_a_student_that_keeps_the_teachers_classifier_has_no_shares(tmp_path: Path) -> None:
    other = store(tmp_path, [SPEC])
    put(other.students[0], mu_raw=0.0)
    told = ladder.ladder_sentence({"digits": lost.table(other)})
    assert told == "**It cannot be told on digits, where no student has a μ above zero to take apart.**"


def test_what_any_rows_lose_is_that_of_rows_as_long_that_know_no_teacher() -> None:
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(10, 64)) * rng.uniform(0.5, 2, (10, 1))
    rows = lost.random_rows(weight, rng)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.linalg.norm(weight, axis=1))
    cosines = (rows * weight).sum(1) / (weight**2).sum(1)
    assert np.abs(cosines).max() < 0.6  # other directions
    again = lost.dealt(weight, rng)
    assert sorted(map(tuple, again)) == sorted(map(tuple, weight)) and (again != weight).any()


@pytest.mark.parametrize(("profile", "least", "most"), [("digits", 0.45, 0.56), ("cifar100-small", 0.30, 0.42)])
def test_published_students_lose_more_by_a_rotation_than_random_rows(profile: str, least: float, most: float) -> None:
    """By singular values of W_t^T R: ||W_t||^2 + ||R||^2 less twice their sum is what the best rotation leaves."""
    chosen = selection.load(ChapterParameters(profile=profile, output_dir=str(RESULTS / profile)))
    assert chosen.teacher is not None
    taught = chosen.teacher.trace()[0][-1].astype(float)
    rng, gone = np.random.default_rng(1), []
    for run in chosen.shown:
        lengths = np.linalg.norm(run.trace()[0][-1].astype(float), axis=1, keepdims=True)
        rows = rng.normal(size=taught.shape)
        rows *= lengths / np.linalg.norm(rows, axis=1, keepdims=True)
        both = (taught**2).sum() + (rows**2).sum()
        left = both - 2 * np.linalg.svd(taught.T @ rows, compute_uv=False).sum()
        gone.append(1 - np.sqrt(left / (both - 2 * (taught * rows).sum())))
    found = lost.medians(lost.table(chosen), "rotated")
    assert least < np.median(gone) < most and found["random"] == pytest.approx(np.median(gone), abs=0.02)
    assert found["dealt"] < found["teacher"] and found["random"] < found["bystander"] < found["teacher"]


def test_published_runs_are_taken_where_they_have_more_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {"runs": tmp_path / "runs", "results": tmp_path / "results"}
    store(folders["runs"], [SPEC])
    store(folders["results"], [replace(SPEC, init_seed=seed) for seed in (0, 1)])
    for name, folder in folders.items():
        monkeypatch.setattr(selection.paths, name, lambda _, folder=folder: folder)
    assert selection.best(ChapterParameters()).folder == folders["results"]
    assert selection.best(ChapterParameters(output_dir=str(folders["runs"]))).folder == folders["runs"]
    write(folders["runs"], replace(SPEC, init_seed=1))
    assert selection.best(ChapterParameters()).folder == folders["runs"]


def test_published_studies_of_other_names_stand_beside_the_one_that_is_drawn() -> None:
    for weight_decay, names in ((5e-4, ["digits-few", "cifar100-small"]), (0, [])):
        chosen = ChapterParameters(output_dir=str(RESULTS / "digits"), weight_decay=weight_decay)
        beside = selection.beside(selection.load(chosen), chosen)
        assert [one.name for one in beside] == names
        assert all(run.spec.weight_decay == weight_decay for one in beside for run in one.every)


# -------------------------------------------------------------------------------------------------- teacher, bystander
class Planted:
    """Students as real matrices: W_s wanders, W_t and W_o are fixed; every column follows from them."""

    def __init__(self, folder: Path, specs: list[RunSpec], towards: float = 0.0) -> None:
        self.rng = np.random.default_rng(0)
        self.teacher, self.bystander = self.rng.normal(size=(2, 5, 8)) * np.array([1.0, 2.0])[:, None, None]
        write(folder, replace(TEACHER_SPEC, init_seed=1))
        self.study = store(folder, specs)
        self.courses: dict[str, np.ndarray] = {}
        for run in {id(r): r for r in (*self.study.students, *self.study.every)}.values():
            pull = towards * self.teacher if run.spec.method == "kd" else 0.0
            course = np.cumsum(self.rng.normal(size=(run.spec.epochs, 5, 8)) + pull, axis=0)
            self.courses[run.path.name] = course
            put(run, **self.columns(course))
        assert self.study.teacher
        put(self.study.teacher, weight_norm=float(np.linalg.norm(self.teacher)))

    def columns(self, course: np.ndarray) -> dict[str, np.ndarray]:
        sides = {"": self.teacher, "bystander_": self.bystander}
        own = np.linalg.norm(course, axis=(1, 2))
        found = {"weight_norm": own}
        for side, other in sides.items():
            length = np.linalg.norm(other)
            nuclear = np.array([np.linalg.svd(w.T @ other, compute_uv=False).sum() for w in course])
            found[f"{side}mu_raw"] = np.linalg.norm(course - other, axis=(1, 2))
            found[f"{side}mu_rotated"] = np.sqrt(length**2 + own**2 - 2 * nuclear)
        inner = (course * self.teacher).sum((1, 2))
        return found | {"classifier_cosine": inner / (own * np.linalg.norm(self.teacher))}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planted:
    seeds = [replace(spec, init_seed=seed) for seed in range(3) for spec in (SPEC, kd(4), kd(10))]
    made = Planted(tmp_path, seeds, towards=0.5)
    taught, other = (SPEC.teacher or {})["checksum"], (SPEC.bystander or {})["checksum"]
    known = {taught: float(np.linalg.norm(made.teacher)), other: float(np.linalg.norm(made.bystander))}
    monkeypatch.setattr(alignment, "lengths", lambda study: known)
    return made


def test_the_length_of_a_classifier_is_its_teachers_own_last_norm(study: Study) -> None:
    assert study.teacher and SPEC.teacher
    assert alignment.lengths(study) == {SPEC.teacher["checksum"]: last(study.teacher, "weight_norm")}


def test_the_cosine_is_that_of_the_matrices(planted: Planted) -> None:
    for run in planted.study.every:
        final = planted.courses[run.path.name][-1]
        for side, other in (("", planted.teacher), ("bystander_", planted.bystander)):
            lengths = np.linalg.norm(final) * np.linalg.norm(other)
            u, _, vt = np.linalg.svd(final.T @ other)
            for kind, turned in (("raw", final), ("rotated", final @ u @ vt)):
                found = alignment.cosine(run, kind, side, alignment.lengths(planted.study))
                assert found == pytest.approx((turned * other).sum() / lengths)


def test_a_difference_is_shown_as_mean_and_students_interval_over_seeds(planted: Planted) -> None:
    figures, labels = steps(ladder.sides(planted.study))
    assert labels == ["of the cosine", "of μ"]
    runs = planted.study.by_seeds["KD T=4"]
    values = np.array([last(run, "mu_raw") - last(run, "bystander_mu_raw") for run in runs])
    mean = next(trace for trace in figures[1].data if trace.error_y.array is not None)
    assert list(mean.x) == ["normal", "T=4", "T=10"]
    assert mean.y[1] == pytest.approx(values.mean(), rel=1e-3)
    low, _ = scipy_stats.t.interval(0.95, 2, values.mean(), scipy_stats.sem(values))
    assert mean.error_y.arrayminus[1] == pytest.approx(values.mean() - low, rel=1e-3)


def test_the_sentence_says_on_which_side_the_intervals_lie(planted: Planted) -> None:
    for kind in ("raw", "rotated"):
        found = alignment.differences(planted.study, kind, "cosine")
        side = estimate(found["KD T=4"].values()).side
        pairs = [found["KD T=4"][seed] - found["normal"][seed] for seed in range(3)]
        more = ladder.BEYOND[side == 0, estimate(pairs).side * (side or 1)]
        assert ladder.nearer(planted.study, kind) == f"{ladder.NEARER[side]}, {more} normal training,"
        assert estimate(pairs).told("{:+.2g}") in ladder.sides(planted.study).table
    assert alignment.differences(planted.study, "raw", "cosine")["KD T=4"][0] > 0.2  # what was planted


@pytest.mark.parametrize(
    ("kd", "normal", "said", "beyond"),
    [
        (0.5, 0.1, "yes", "and beyond"),
        (0.5, 0.5, "yes", "but not beyond"),
        (0.5, 0.9, "yes", "but short of"),
        (-0.5, -0.1, "no, nearer to the bystander", "and beyond"),
        (0.0, 0.0, "not seen", "nor beyond"),
        (0.0, -0.5, "not seen", "but beyond"),
    ],
)
def test_which_classifier_is_nearer_is_said_first(
    study: Study, monkeypatch: pytest.MonkeyPatch, kd: float, normal: float, said: str, beyond: str
) -> None:
    def differences(*_: object) -> dict[str, dict[int, float]]:
        spread = (-0.01, 0.0, 0.01)
        return {
            "KD T=4": {seed: kd + off for seed, off in enumerate(spread)},
            "normal": {seed: normal - off for seed, off in enumerate(spread)},
        }

    monkeypatch.setattr(ladder.alignment, "differences", differences)
    assert ladder.nearer(study, "raw") == f"{said}, {beyond} normal training,"
    other = replace(study, name="other")
    both = f"**As the weights stand: {said}, {beyond} normal training, on digits and other.** **Once rotated: "
    assert ladder.sides(study, other).answer.startswith(both)
    monkeypatch.setattr(ladder.alignment, "differences", lambda *_: {"KD T=4": {0: 0.5, 1: 0.5}})
    assert ladder.nearer(study, "raw") == "it cannot be told from so few seeds"


def test_without_a_bystander_nothing_is_compared(tmp_path: Path) -> None:
    alone = store(tmp_path, [replace(SPEC, bystander=None)], without="^bystander")
    assert alignment.differences(alone, "raw", "μ") == {"normal": {}}
    assert "cannot be told" in ladder.sides_sentence(alone)
    assert len(ladder.sides(alone).figures) == 2


# ------------------------------------------------------------------------------------------------------ norm and angle
def test_norm_and_angle_are_those_of_the_matrices(planted: Planted) -> None:
    run = planted.study.kd[4]
    course = planted.courses[run.path.name]
    terms = alignment.split(planted.study, run)
    assert terms["inner"].to_numpy() == pytest.approx(-2 * (course * planted.teacher).sum((1, 2)))
    assert terms["squared"].to_numpy() == pytest.approx(terms[["teacher", "student", "inner"]].sum(axis=1).to_numpy())
    since = course[12:] - course[12]
    moves = alignment.moves(planted.study, run)
    assert moves["angle"].to_numpy() == pytest.approx(-2 * (since * planted.teacher).sum((1, 2)), abs=1e-9)
    assert moves["bystander"].to_numpy() == pytest.approx(-2 * (since * planted.bystander).sum((1, 2)), abs=1e-9)
    norms = (course**2).sum((1, 2))
    assert moves["student"].to_numpy() == pytest.approx(norms[12:] - norms[12])
    text = parts.sentence(planted.study, run)
    turned = -2 * (since[-1] * planted.teacher).sum()
    assert f"the norm by {parts.amount(norms[-1] - norms[12])}, the angle by {parts.amount(turned)}" in text
    assert text.startswith("**It grows" if abs(norms[-1] - norms[12]) > abs(turned) else "**It turns")


@pytest.mark.parametrize("profile", ["digits", "cifar100-small"])
def test_the_parts_of_published_students_give_their_squared_mu(profile: str) -> None:
    chosen = selection.load(ChapterParameters(profile=profile, output_dir=str(RESULTS / profile)))
    checked = 0
    for run in chosen.every:
        table = alignment.split(chosen, run)
        whole = table[["teacher", "student", "inner"]].sum(axis=1).to_numpy()
        assert whole == pytest.approx(run.history["mu_raw"].to_numpy() ** 2, rel=1e-5), run.path.name
        checked += len(table)
    assert checked == sum(run.spec.epochs for run in chosen.every) > 0


def test_without_the_teachers_run_its_terms_are_missing_and_the_movement_is_not(tmp_path: Path) -> None:
    orphan = store(tmp_path, [replace(SPEC, teacher={"model": "resnet20", "checksum": "another"})])
    run = orphan.students[0]
    assert alignment.split(orphan, run)[["teacher", "inner"]].isna().all(axis=None)
    assert alignment.moves(orphan, run).notna().all(axis=None)
    assert "μ²" in parts.sentence(orphan, run)


@pytest.mark.parametrize(
    ("change", "text"), [(-0.18649, "−0.186"), (1791.4, "+1,790"), (0.0, "+0"), (-4.2e-7, "−4.2e−07")]
)
def test_amounts_are_read_with_a_sign_and_three_digits(change: float, text: str) -> None:
    assert parts.amount(change) == text


# ------------------------------------------------------------------------------------------------ plug-in and collapse
def test_plug_in_shows_three_accuracies_and_normal_training_behind(study: Study) -> None:
    figures, labels = steps(plug_in.plugged(study))
    assert labels == [run.label for run in study.students]
    columns = ("plug_in_accuracy", "plug_in_accuracy_matched", "test_accuracy")
    behind, *front = figures[2].data
    assert [list(trace.y) for trace in front] == [rounded(study.kd[4].history[column]) for column in columns]
    assert list(behind.y) == rounded(study.students[0].history["plug_in_accuracy_matched"])
    _, matched, own = (last(study.kd[4], column) for column in columns)
    told = f"KD T=4 {matched:.1%}, its own classifier {own:.1%}"
    made = plug_in.plugged(study)
    assert told in made.answer and made.brief == "**It cannot be told from so few seeds on digits.**"


@pytest.mark.parametrize(
    ("kd_keeps", "normal_keeps", "said"),
    [
        (0.95, 0.95, "yes, once matched, taught or not,"),
        (0.95, 0.5, "yes, once matched and taught,"),
        (0.5, 0.5, "no, not even matched,"),
        (0.95, 0.9, "undecided, even matched,"),
    ],
)
def test_whether_it_works_is_said_by_the_interval_of_every_study(
    tmp_path: Path, kd_keeps: float, normal_keeps: float, said: str
) -> None:
    found = store(tmp_path, [replace(spec, init_seed=seed) for seed in range(3) for spec in (SPEC, kd(4))])
    for run in found.every:
        share = (kd_keeps if run.spec.method == "kd" else normal_keeps) + 0.01 * (run.spec.init_seed - 1)
        put(run, test_accuracy=0.8, plug_in_accuracy=0.1, plug_in_accuracy_matched=0.8 * share)
    made = plug_in.plugged(found, replace(found, name="other"))
    assert made.brief == words.sentence(f"{said} on digits and other")
    assert f"KD T=4 {0.8 * kd_keeps:.1%}, its own classifier 80.0%" in made.answer


def test_what_was_not_trained_stands_beside_what_works_once_matched() -> None:
    """Pixels, relabelled, do well on digits: 64 of them for 64 features."""
    published = selection.load(ChapterParameters(profile="digits", output_dir=str(RESULTS / "digits")))
    file = pd.read_parquet(RESULTS / "digits" / "comparisons" / "stitching.parquet")
    mine = file[(file["teacher_model"] == "resnet20") & file["kind"].ne("student")]
    level = mine[mine["kind"].eq("pixels") | mine["model"].eq("resnet8")].groupby("kind")["matched"].mean()
    told = f"to compare, pixels {level['pixels']:.1%} and untrained network {level['untrained']:.1%})"
    assert plug_in.in_numbers(published).endswith(told)


def test_steps_have_as_many_traces_so_that_what_is_behind_is_stored_once(tmp_path: Path) -> None:
    packed = widgets.pack(plug_in.plugged(store(tmp_path)).figures)
    assert sum("y" in shared for shared in packed["data"]) >= 1


# --------------------------------------------------------------------------------------------------------------- all
@pytest.mark.parametrize("without", ["$^", "^(bystander|mu_|plug_in|classifier|cka|nc|pull|spread|account)"])
def test_every_figure_can_be_drawn_without_scripts_whatever_was_measured(tmp_path: Path, without: str) -> None:
    study = store(tmp_path, STUDENTS, without=without)
    made = [make(study) for make in (ladder.ladder, ladder.sides, parts.norm_and_angle, plug_in.plugged)]
    for one in made:
        for fig in one.figures[:1]:
            drawable(fig)
        assert "nan" not in one.answer + one.says + one.table
    assert all(("cannot be told" in one.answer or "no μ" in one.answer) for one in made[1:]) == ("mu_" in without)
