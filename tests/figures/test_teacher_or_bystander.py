"""Teacher against bystander, norm and angle, on students whose matrices are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up import SPEC, TEACHER_SPEC, kd, put, steps, store, write
from scipy import stats as scipy_stats

from kdnb.analysis import alignment, selection
from kdnb.analysis.over_seeds import estimate
from kdnb.analysis.selection import ChapterParameters
from kdnb.analysis.study import Study
from kdnb.figures.alignment import ladder
from kdnb.figures.alignment import terms as parts
from kdnb.runs import RunSpec

RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return store(tmp_path_factory.mktemp("runs"))


class Planted:
    """Students as real matrices: W_s wanders, W_t and W_o are fixed; every column follows from them."""

    def __init__(self, folder: Path, specs: list[RunSpec], towards: float) -> None:
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
    made = Planted(tmp_path, seeds, 0.5)
    taught, other = (SPEC.teacher or {})["checksum"], (SPEC.bystander or {})["checksum"]
    known = {taught: float(np.linalg.norm(made.teacher)), other: float(np.linalg.norm(made.bystander))}
    monkeypatch.setattr(alignment, "lengths", lambda study: known)
    return made


def test_the_length_of_a_classifier_is_its_teachers_own_last_norm(study: Study) -> None:
    assert study.teacher and SPEC.teacher
    assert alignment.lengths(study) == {SPEC.teacher["checksum"]: study.teacher.last("weight_norm")}


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
    values = np.array([run.last("mu_raw") - run.last("bystander_mu_raw") for run in runs])
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
