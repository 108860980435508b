"""Figures of geometry say what the runs and the comparisons say, and what is not there is said as well."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from drawable import drawable
from made_up import SPEC, STUDENTS, TEACHER_SPEC, kd, rounded, steps, store, write
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr
from scipy.stats import t as student_t

from kdnb.analysis import class_agreement, map_stability, over_seeds, selection, separation, stitched
from kdnb.analysis import spaces as feature_spaces
from kdnb.analysis.selection import ChapterParameters
from kdnb.analysis.study import Study
from kdnb.data import cifar
from kdnb.figures import intervals
from kdnb.figures.geometry import class_distances, stability, stitching
from kdnb.files import read_tensors, write_tensors
from kdnb.runs import Run, RunSpec


def with_weights(folder: Path, spec: RunSpec) -> Run:
    """A run of :mod:`made_up` and weights that no other run has."""
    run = write(folder, spec)
    weight = torch.full((3, 8), float(sum(map(ord, spec.name))))
    write_tensors(run.path / "model.safetensors", {"classifier.weight": weight}, {})
    write_tensors(run.path / "classifier.safetensors", {"weight": weight[None], "bias": weight[None, :, 0]}, {})
    return run


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two seeds of each student, the second without DIST."""
    folder = tmp_path_factory.mktemp("runs")
    write(folder, TEACHER_SPEC)
    for seed, specs in ((0, STUDENTS), (1, STUDENTS[:-2])):
        for spec in specs:
            with_weights(folder, replace(spec, init_seed=seed))
    return selection.load(ChapterParameters(output_dir=str(folder)))


@pytest.fixture(scope="module")
def compared(study: Study) -> Study:
    """The same, with comparisons beside it."""
    folder = study.folder / "comparisons"
    rng = np.random.default_rng(0)
    gaps = {"1": [1, 2, 3], "pixels": [3, 2, 1], "untrained-resnet8-s0": [1, 3, 2], "untrained-resnet8-s1": [1, 2, 3]}
    tensors = {name: torch.tensor(values, dtype=torch.float32) for name, values in gaps.items()}
    write_tensors(folder / "classes.safetensors", tensors, {})
    _stitching(study).to_parquet(folder / "stitching.parquet")
    spaces = {name: rng.normal(size=(60, 8)) + 4 * np.eye(8)[np.arange(60) % 3] for name in ("normal", "teacher")}
    maps = {"labels": torch.arange(60).short() % 3, "images": torch.arange(60).int()}
    for place, (name, x) in enumerate(spaces.items()):
        maps[f"{name}/neighbours"] = torch.from_numpy(separation.nearest(x)).short()
        maps[f"{name}/means"] = torch.from_numpy(np.array([x[k::3].mean(0) for k in range(3)])).half()
        for start in ("teacher", "random 0", "random 1"):
            drawn = x[:, :2] if start != "random 1" else rng.normal(size=(60, 2))
            maps[f"{name}/5/{start}"] = torch.from_numpy(drawn + place).half()
    runs = {"normal": SPEC.name, "teacher": TEACHER_SPEC.name}
    told = {"networks": {name: {"run": run, "epoch": 7} for name, run in runs.items()}, "perplexities": [5]}
    write_tensors(folder / "maps.safetensors", maps, told)
    return study


def _stitching(study: Study) -> pd.DataFrame:
    common = {
        "study": "x",
        "name": "x",
        "model": "resnet8",
        "accuracy": 0.9,
        "teacher": "x",
        "teacher_model": "resnet20",
    }
    rows = []
    for place, run in enumerate(study.every):
        about = {"kind": "student", "label": run.label, "seed": run.spec.init_seed, "weights": run.weights_checksum}
        for relation, linear in (("own", 0.8 + place / 100), ("alike", 0.7)):
            rows.append(common | about | {"relation": relation, "raw": 0.1, "matched": 0.5, "linear": linear})
    floor = {"label": "untrained", "seed": 0, "weights": "", "relation": "other", "raw": np.nan, "matched": np.nan}
    for kind, model, teacher, linear in (
        ("untrained", "resnet8", "resnet20", 0.2),
        ("untrained", "resnet8x4", "resnet20", 0.9),
        ("untrained", "resnet8", "resnet14x4", 0.9),
        ("pixels", "", "resnet20", 0.3),
    ):
        rows.append(common | floor | {"kind": kind, "model": model, "teacher_model": teacher, "linear": linear})
    strange = {"kind": "student", "label": "normal", "seed": 0, "weights": "of another study", "relation": "own"}
    rows.append(common | strange | {"raw": 0.0, "matched": 0.0, "linear": 0.0})
    return pd.DataFrame(rows)


def means_of(run: Run) -> np.ndarray:
    taken = run.snapshot("final")
    assert taken is not None
    return np.array([taken.features[taken.labels == k].mean(0) for k in range(3)])


# -------------------------------------------------------------------------------------------------------------- spread
def test_a_mean_stands_among_its_runs_with_their_interval() -> None:
    found = {"normal": {0: 1.0, 1: 2.0, 2: 4.5}, "KD T=4": {0: 3.0}, "MSE": {}}
    dots, mean = intervals.points(over_seeds.estimates(found), "one", "value", {"color": "#123456"})
    assert list(dots.x) == ["normal"] * 3 + ["T=4"] and list(dots.y) == [1, 2, 4.5, 3]
    assert list(mean.x) == ["normal", "T=4"] and list(mean.y) == [2.5, 3]
    reach = student_t.ppf(0.975, 2) * np.std([1, 2, 4.5], ddof=1) / np.sqrt(3)
    assert mean.error_y.array[0] == mean.error_y.arrayminus[0] == rounded([reach])[0] and mean.error_y.array[1] is None
    assert "n = 3" in mean.text[0] and "95%" not in mean.text[1]
    dependent = over_seeds.estimates(found, independent=False)
    _, bare = intervals.points(dependent, "one", "value", {"color": "#123456"})
    assert bare.error_y.array is None and "95%" not in bare.text[0]


def test_differences_are_of_the_same_seed() -> None:
    one, other = {"a": {0: 5.0, 2: 7.0, 3: 1.0}}, {"a": {2: 4.0, 0: 1.0}, "b": {3: 9.0}}
    assert over_seeds.paired(one, other, "a").tolist() == [4, 3] and over_seeds.paired(
        one, other, "a", "b"
    ).tolist() == [-8]


def test_a_seed_s_mean_is_over_the_labels_that_all_seeds_have() -> None:
    values = {"a": {0: 1.0, 1: 2.0, 2: 3.0}, "b": {0: 90.0}, "c": {2: 0.0, 0: 0.0, 1: 1.0}}
    assert list(over_seeds.shared(values)) == ["a", "c"]
    assert over_seeds.of_seeds(values).values == [0.5, 1.5, 1.5]
    assert over_seeds.of_seeds({"a": {0: 1.0}, "b": {1: 2.0}}).values == over_seeds.of_seeds({}).values == []


# ------------------------------------------------------------------------------------------------------- class by class
def test_a_matrix_has_the_student_below_and_the_teacher_above(study: Study) -> None:
    made = class_distances.matrices({"digits": study})
    figures, labels = steps(made)
    assert labels == [f"{label}, digits" for label in ("normal", "KD T=1", "KD T=4", "KD T=10")]
    assert made.start == "KD T=4, digits"
    found = class_agreement.agreement(study).students["final"]["own"]
    rho = [f"{found[label][0]:.2f} for {name}" for label, name in (("KD T=4", "KD T=4"), ("normal", "normal training"))]
    assert made.answer == f"**By ρ = {rho[0]} and {rho[1]} on digits (seed 0).**".replace("-", "−")
    assert len({(fig.data[0].zmin, fig.data[0].zmax) for fig in figures}) == 1
    run, teacher = study.students[1], study.teacher
    z = np.array(figures[1].data[0].z, float)
    assert teacher is not None and np.isnan(np.diag(z)).all()
    for part, network in ((np.tril, run), (np.triu, teacher)):
        taken = network.snapshot("final")
        assert taken is not None
        norm = np.linalg.norm(taken.features, axis=1).mean()
        expected = squareform((100 * pdist(means_of(network)) / norm).round())
        np.testing.assert_array_equal(part(np.nan_to_num(z)), part(expected))
    drawable(figures[1])


def test_a_hundred_classes_stand_group_by_group(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        class_distances.spaces, "space", lambda *_: feature_spaces.FeatureSpace(1, np.arange(100), np.zeros((100, 2)))
    )
    students = [Run(study.students[0].path)]
    students[0].__dict__["spec"] = replace(SPEC, dataset="cifar100")
    order = class_distances._order(replace(study, students=students))
    assert sorted(order.places) == list(range(100)) and len(order.ticks) == len(order.borders) + 1 == 8
    edges = [-0.5, *order.borders, 99.5]
    for (name, text), low, high in zip(order.ticks.items(), edges[:-1], edges[1:], strict=True):
        assert low < order.names.index(name) < high and text in cifar.SUPERCLASSES


# --------------------------------------------------------------------------------------------------- beside the teacher
def test_temperatures_of_sharper_agreement_are_counted_beside_chance(study: Study) -> None:
    level = {"normal": [0.5] * 3, "KD T=1": [0.8, 0.81, 0.82], "KD T=4": [0.6, 0.4, 0.5], "KD T=10": [0.4, 0.6, 0.5]}
    own = {label: dict(enumerate(values)) for label, values in level.items()}
    found = class_agreement.Agreement({"final": {"own": own}}, {})
    text = class_distances.sharpest({"x": (study, found)})
    assert text.endswith("at T = 1, not at 4 and 10 on x (1 of 3 temperatures, no more than chance).")


def test_agreement_is_the_rank_correlation_of_class_distances(compared: Study) -> None:
    found = class_agreement.agreement(compared)
    run, teacher = compared.students[2], compared.teacher
    assert teacher is not None
    mine, own = pdist(means_of(run)), pdist(means_of(teacher))
    final = found.students["final"]
    assert final["own"][run.label][0] == pytest.approx(spearmanr(mine, own).statistic)
    assert final["bystander"][run.label][0] == pytest.approx(spearmanr(mine, [1, 2, 3]).statistic)
    assert {len(by_seed) for by_seed in final["own"].values()} == {1, 2}
    floors = [spearmanr(gaps, own).statistic for gaps in ([1, 3, 2], [1, 2, 3])]
    assert found.floors["untrained"] == pytest.approx(np.mean(floors))
    assert found.floors["pixels"] == pytest.approx(spearmanr([3, 2, 1], own).statistic)
    made = class_distances.agreements({"digits": (compared, found)})
    (fig,) = made.figures
    drawable(fig)
    named = [trace.name for trace in fig.data if trace.showlegend is not False]
    assert sorted(named) == ["pixels", "untrained network"]
    paired = [final["own"]["KD T=4"][seed] - final["bystander"]["KD T=4"][seed] for seed in (0, 1)]
    assert class_agreement.beyond_the_bystander(found)["KD T=4"] == dict(enumerate(paired))
    lower = next(t for t in fig.data if t.name == "teacher − bystander" and t.mode == "markers")
    assert list(lower.y)[4:6] == rounded(paired)
    assert made.answer.startswith("**It cannot be told from so few seeds on digits: class distances of KD T=4 ")
    assert f"by {over_seeds.estimate(paired).told('{:+z.3f}')} more than" in made.answer


@pytest.mark.parametrize(
    ("own", "normal", "said"),
    [(0.9, 0.5, "Yes"), (0.9, 0.9, "Not that it could be seen"), (0.5, 0.9, "No"), (0.1, 0.05, "No")],
)
def test_agreement_is_its_teachers_beyond_the_bystander_and_normal_training(
    study: Study, own: float, normal: float, said: str
) -> None:
    """Of every study: another's whole page once had the answer of the first."""

    def values(level: float) -> dict[int, float]:
        return {seed: level + 0.001 * (-1) ** seed for seed in range(4)}

    sides = {"own": {"KD T=4": values(own), "normal": values(normal)}}
    sides["bystander"] = {label: dict.fromkeys(range(4), 0.5) for label in sides["own"]}
    found = class_agreement.Agreement({"final": sides}, {})
    none = class_agreement.Agreement({"final": {}}, {})
    made = class_distances.agreements({"one": (study, found), "other": (study, none)})
    assert made.brief.startswith(f"**{said} on one (n\u00a0=\u00a04); it cannot be told on other, where ")
    first, second = made.answer.strip("*").split("; ")
    assert first.startswith(f"{said} on one: ") and second.startswith("it cannot be told on other, where ")
    where = "at T = 4 on one (1 of 1 " if own > normal + 0.01 else "at no T, not at 4 on one (0 of 1 "
    assert made.says.startswith(f"Agreement with the teacher is above normal training's by a whole interval {where}")


def test_separation_is_the_snapshots_over_seeds(study: Study) -> None:
    found = class_agreement.separation(study)
    run = next(run for run in study.every if run.spec.init_seed == 1 and run.label == "KD T=4")
    taken = run.snapshot("matched")
    assert taken is not None
    expected = separation.measures(taken.features, taken.labels)
    assert {name: found[name]["KD T=4"][1] for name in class_agreement.SEPARATION} == {
        name: getattr(expected, name) for name in class_agreement.SEPARATION
    }
    made = class_distances.separations({"digits": (study, found)})
    drawable(made.figures[0])
    assert (
        made.says.count("n\u00a0=\u00a02") == 4 and made.answer == "**It cannot be told from so few seeds on digits.**"
    )


@pytest.mark.parametrize(
    ("ratio", "knn", "silhouette", "cosine", "said"),
    [
        (1, 1, 1, -1, "yes on x, by all 4 measures"),
        (1, 1, 1, 1, "by 3 of 4 measures on x (worse by cosine of class means)"),
        (
            1,
            0,
            -1,
            0,
            "by 1 of 4 measures on x (not seen by kNN accuracy and cosine of class means, worse by silhouette)",
        ),
        (
            0,
            -1,
            0,
            0,
            "no on x (not seen by between / within, silhouette and cosine of class means, worse by kNN accuracy)",
        ),
        (0, 0, 0, 0, "not that it could be seen on x"),
    ],
)
def test_better_separation_is_said_by_measures(
    study: Study, ratio: int, knn: int, silhouette: int, cosine: int, said: str
) -> None:
    sides = dict(zip(class_agreement.SEPARATION, (ratio, knn, silhouette, cosine), strict=True))
    found = {
        key: {
            "KD T=4": {seed: side + 0.01 * (-1) ** seed for seed in range(4)},
            "normal": dict.fromkeys(range(4), 0.0),
        }
        for key, side in sides.items()
    }
    assert class_distances.better("x", study, found) == said
    without = {key: {"KD T=4": by["KD T=4"]} for key, by in found.items()}
    assert class_distances.better("x", study, without).startswith("it cannot be told on x, where ")
    assert class_distances.by_how_much("x", study, without) == ""


# ----------------------------------------------------------------------------------------------------------------- maps
def test_what_maps_share_is_counted_between_random_starts(compared: Study) -> None:
    atlas = map_stability.load(compared)
    assert atlas is not None and len(atlas.maps) == 4
    table = map_stability.kept(atlas)
    assert (table["pair"] == "random").sum() == 2 and (table["pair"] == "features").sum() == 4
    tensors, _ = read_tensors(compared.folder / "comparisons" / "maps.safetensors")
    one, other = (tensors[f"normal/5/random {start}"].double().numpy() for start in (0, 1))
    x, y = (np.argsort(squareform(pdist(m)) + np.diag(np.full(60, np.inf)))[:, :10] for m in (one, other))
    overlap = np.mean([len({*a} & {*b}) / 10 for a, b in zip(x, y, strict=True)])
    row = table[table["pair"] == "random"].iloc[0]
    assert row["neighbours"] == pytest.approx(overlap)
    gaps = [pdist(np.array([m[k::3].mean(0) for k in range(3)])) for m in (one, other)]
    assert row["classes"] == pytest.approx(spearmanr(*gaps).statistic)
    # Half of the maps are drawn from their network's features, the others are noise.
    assert map_stability.recognised(atlas)["neighbours"] >= 2
    drawable(stability._kept_parts(compared, atlas, table))
    made = stability.kept_parts({"digits": compared})
    assert "of 4 maps from random starts" in made.says and list(made.figure) == ["digits"]
    assert made.says.endswith("(chance: 2; clearly more: neither).")  # within two errors are all 4
    hollow = table[table["pair"] == "features"]
    near, far = (f"{part['neighbours'].mean():.0%}" for part in (hollow, table[table["pair"] == "random"]))
    assert made.answer.startswith(f"**{near} of neighbours and ρ = ") and f" on digits, {far} and ρ = " in made.answer
    worst = f"ρ = {hollow['classes'].mean():.2f} (at least {hollow['classes'].min():.2f})".replace("-", "−")
    assert f" and {worst} of class distances with the features" in made.answer


@pytest.mark.parametrize(("near", "far", "told"), [(5, 4, "who is near whom"), (4, 5, "the distances"), (5, 5, "both")])
def test_what_tells_a_network_on_a_map_is_found_more_often_than_by_chance(
    compared: Study, monkeypatch: pytest.MonkeyPatch, near: int, far: int, told: str
) -> None:
    atlas = map_stability.load(compared)
    assert atlas is not None
    monkeypatch.setattr(map_stability, "recognised", lambda _: {"neighbours": near, "classes": far})
    assert f"(chance: 2; clearly more: {told}" in stability.recognised("x", atlas)


def test_maps_of_another_weight_decay_are_not_these_students(compared: Study, tmp_path: Path) -> None:
    """They were shown for whichever was asked for; a student that was not mapped is left out beside one that was."""
    shutil.copytree(compared.folder / "comparisons", tmp_path / "comparisons")
    for spec in (TEACHER_SPEC, replace(SPEC, weight_decay=0.0)):
        write(tmp_path, spec)
    other = selection.load(ChapterParameters(output_dir=str(tmp_path), weight_decay=0))
    assert map_stability.load(other) is None
    made = stability.kept_parts({"digits": compared, "other": other})
    lacking = "; it cannot be told on other, where no maps of these students were drawn again.**"
    assert made.answer.endswith(lacking) and f"draws those of {SPEC.name}, kd-T4" in made.says
    file = tmp_path / "comparisons" / "maps.safetensors"
    tensors, told = read_tensors(file)
    told["networks"] |= {"KD T=4": {"run": "kd-T4-a0.9-unsquared-wd0.0005-s0", "epoch": 7}}
    tensors |= {name.replace("normal", "KD T=4"): tensor for name, tensor in tensors.items()}
    write_tensors(file, tensors, told)
    atlas = map_stability.load(replace(compared, folder=tmp_path))
    assert atlas is not None and [run.label for run in atlas.students] == ["normal"]
    assert {one.network for one in atlas.maps} == set(atlas.spaces) == {"normal", "teacher"}


# ------------------------------------------------------------------------------------------------------------ stitching
def test_stitching_shows_this_study_s_students_beside_fitting_floors(compared: Study) -> None:
    table = stitched.table(compared)
    own = stitched.values(compared, table, "own", "linear")
    every = {run: 0.8 + place / 100 for place, run in enumerate(compared.every)}
    assert own == {
        label: {run.spec.init_seed: pytest.approx(every[run]) for run in group}
        for label, group in compared.groups.items()
    }
    assert {kind: level["linear"] for kind, level in stitched.floors(table).items()} == {
        "untrained": pytest.approx(0.2),
        "pixels": pytest.approx(0.3),
    }
    made = stitching.accuracies({"digits": compared})
    (fig,) = made.figures
    drawable(fig)
    named = [trace.name for trace in fig.data if trace.showlegend is not False]
    assert sorted(named) == ["its teacher", "pixels", "same model, other seed", "untrained network"]
    few = table[(table["kind"] != "student") | (table["seed"] == 0)]  # of the others no classifier was put behind
    seed_0 = [run for run in compared.shown if run.spec.init_seed == 0]
    taught_0 = len(seed_0) - 1  # without normal training
    assert f"mean over {taught_0} students" in stitching.means("digits", compared, few)
    assert f"n\u00a0=\u00a0{len(seed_0)}\u00a0runs" in stitching._accuracies(compared, few).layout.title.text
    groups = {label: group for label, group in compared.groups.items() if label != "normal"}
    taught = [run for group in groups.values() if len(group) == 2 for run in group]
    ahead = [np.mean([100 * (every[r] - 0.7) for r in taught if r.spec.init_seed == s]) for s in (0, 1)]
    assert made.answer.startswith("**It cannot be told from so few seeds on digits: ")
    assert f"ahead by {over_seeds.estimate(ahead).told('{:+.2f}')} points" in made.answer
    assert "points, in normal training by +" in made.answer  # which is the control, and did not learn from the teacher
    assert "pixels 30.0% and untrained network 20.0%" in made.says


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        ([0.9, 1.0, 1.1], "yes on x: "),
        ([-1, 0.1, 0.0], "undecided on x: "),
        ([0.0, 0.1, 0.0], "no on x: "),
        ([-20, -21, -20], "no on x: "),
        ([20, 20], "it cannot be told from so few seeds on x: "),
        ([], "it cannot be told on x, where "),
    ],
)
def test_a_classifier_fits_its_own_students_better_by_a_whole_interval(
    compared: Study, monkeypatch: pytest.MonkeyPatch, ahead: list[float], said: str
) -> None:
    monkeypatch.setattr(stitched, "ahead", lambda *_: {"KD T=4": dict(enumerate(ahead))} if ahead else {})
    assert stitching.fits_its_own("x", compared, stitched.table(compared)).startswith(said)


def test_without_comparisons_everything_says_how_to_make_them(tmp_path: Path) -> None:
    bare = store(tmp_path / "digits", [SPEC, kd(4)])
    found = class_agreement.agreement(bare)
    assert found.floors == {} and "bystander" not in found.students["final"]
    shown = {"digits": bare}
    made = (
        class_distances.agreements({"digits": (bare, found)}),
        stitching.accuracies(shown),
        stability.kept_parts(shown),
    )
    for one in made:
        assert one.answer.startswith("**It cannot be told on digits, where ")
        assert "`python -m kdnb compare --profile digits` makes it" in one.says
    assert map_stability.load(bare) is None
    assert any(trace.x for trace in made[0].figures[0].data)
