"""What comparisons tell of made-up studies: class distances, what of a map comes back, whose classifier fits whom."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawable import drawable
from geometry import compare, make, means_of
from made_up import SPEC, TEACHER_SPEC, kd, rounded, store, write
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from kdnb.analysis import class_agreement, map_stability, over_seeds, selection, stitched
from kdnb.analysis.selection import ChapterParameters
from kdnb.analysis.study import Study
from kdnb.figures.geometry import class_distances, stability, stitching
from kdnb.files import read_tensors, write_tensors


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return compare(make(tmp_path_factory.mktemp("runs")))


# ------------------------------------------------------------------------------------------------------ class distances
def test_agreement_is_the_rank_correlation_of_class_distances(compared: Study) -> None:
    found = class_agreement.agreement(compared)
    run, teacher = compared.students[2], compared.teacher
    assert teacher is not None
    mine, own = pdist(means_of(run)), pdist(means_of(teacher))
    final = found.students
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
    drawable(stability._kept_parts(compared, atlas, table))
    made = stability.kept_parts({"digits": compared})
    assert "of 4 maps from random starts" in made.says and list(made.figure) == ["digits"]
    assert made.says.endswith("(chance: 2; clearly more: neither).")  # within two errors are all 4
    hollow = table[table["pair"] == "features"]
    near, far = (f"{hollow['neighbours'].mean():.0%}", f"ρ = {hollow['classes'].mean():.2f}".replace("-", "−"))
    assert f" {near} of neighbours" in made.answer and f" {far}, on digits" in made.answer
    for part in (hollow, table[table["pair"] == "random"]):
        told = f"{part['classes'].mean():.2f}, at least {part['classes'].min():.2f}<".replace("-", "−")
        assert f">{told}" in made.table


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
    assert stitching.means("digits", compared, few)["mean over"] == f"{taught_0} students of digits"
    assert f"n\u00a0=\u00a0{len(seed_0)}\u00a0runs" in stitching._accuracies(compared, few).layout.title.text
    groups = {label: group for label, group in compared.groups.items() if label != "normal"}
    taught = [run for group in groups.values() if len(group) == 2 for run in group]
    ahead = [np.mean([100 * (every[r] - 0.7) for r in taught if r.spec.init_seed == s]) for s in (0, 1)]
    assert made.answer.startswith("**It cannot be told from so few seeds on digits: ")
    assert f"ahead by {over_seeds.estimate(ahead).told('{:+.2f}')} points" in made.answer
    assert "points, in normal training by +" in made.answer  # which is the control, and did not learn from the teacher
    row = stitching.means("digits", compared, table)
    assert (row["linear map, pixels"], row["linear map, untrained network"]) == ("30.0%", "20.0%")


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
    assert found.floors == {} and "bystander" not in found.students
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
