"""Comparisons of full runs: planted networks are recognised, files are small and whole, bad input is named."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from made_up import SPEC, history
from scipy.spatial.distance import pdist
from scipy.stats import ortho_group

from kdnb import __main__ as command_line
from kdnb import data, runs
from kdnb.analysis import comparisons, publish
from kdnb.analysis.stitching import PENALTIES, Features, Taught, linear_maps, stitch
from kdnb.files import read_tensors, write_tensors
from kdnb.measure.outputs import Outputs
from kdnb.runs import Run, RunSpec
from kdnb.runs.weights import checksum

RNG = np.random.default_rng(0)
WIDTH, CLASSES = 12, 10


# ---------------------------------------------------------------------------------------------------------- stitching
def planted(images: int = 300) -> tuple[Taught, Features, np.ndarray]:
    """A teacher that classifies its own features perfectly, those features, and the labels of the test images."""
    weight = RNG.normal(size=(4, WIDTH))
    features = Features(RNG.normal(size=(images, WIDTH)), RNG.normal(size=(images, WIDTH)))
    return Taught(weight, np.zeros(4), features.clean), features, (features.test @ weight.T).argmax(1)


def moved(features: Features, by: np.ndarray, shift: float = 0.0) -> Features:
    return Features(features.clean @ by + shift, features.test @ by + shift)


def test_the_teachers_own_features_need_no_help() -> None:
    teacher, features, labels = planted()
    (found,) = stitch([teacher], features, labels)
    assert found.raw == found.matched == 1 and found.linear > 0.98


def test_relabelled_features_need_relabelling_and_others_a_linear_map() -> None:
    teacher, features, labels = planted()
    (renumbered,) = stitch([teacher], moved(features, np.eye(WIDTH)[RNG.permutation(WIDTH)]), labels)
    assert renumbered.raw < 0.7 and renumbered.matched == 1 and renumbered.linear > 0.98
    general = ortho_group.rvs(WIDTH, random_state=1) * np.linspace(0.5, 20, WIDTH)
    (mixed,) = stitch([teacher], moved(features, general, shift=3.0), labels)
    assert mixed.raw < 0.7 and mixed.matched < 0.7 and mixed.linear > 0.98
    noise = Features(RNG.normal(size=(300, WIDTH)), RNG.normal(size=(300, WIDTH)))
    assert stitch([teacher], noise, labels)[0].linear < 0.45  # of four classes


def test_other_widths_meet_through_a_linear_map_alone() -> None:
    teacher, features, labels = planted()
    wide = moved(features, RNG.normal(size=(WIDTH, 3 * WIDTH)))
    (found,) = stitch([teacher], wide, labels)
    assert np.isnan(found.raw) and np.isnan(found.matched) and found.linear > 0.98


def test_the_map_is_ridge_regression_with_the_best_penalty_left_one_out() -> None:
    clean, test, target = RNG.normal(size=(30, 3)), RNG.normal(size=(5, 3)), RNG.normal(size=(30, 2))
    scale = np.sqrt(clean.var(0).mean())

    def predict(x: np.ndarray, y: np.ndarray, at: np.ndarray, penalty: float) -> np.ndarray:
        centred = (x - x.mean(0)) / scale
        slope = np.linalg.solve(centred.T @ centred + penalty * np.eye(3), centred.T @ (y - y.mean()))
        return (at - x.mean(0)) / scale @ slope + y.mean()

    (mapped,) = linear_maps(Features(clean, test), [target])
    for k, y in enumerate(target.T):
        left_out = [
            sum(
                (y[i] - predict(np.delete(clean, i, 0), np.delete(y, i), clean[i : i + 1], p)[0]) ** 2
                for i in range(30)
            )
            for p in PENALTIES
        ]
        expected = predict(clean, y, test, PENALTIES[int(np.argmin(left_out))])
        np.testing.assert_allclose(mapped[:, k], expected, rtol=1e-6)


def test_several_teachers_are_mapped_as_one_by_one_and_other_images_are_refused() -> None:
    student = Features(RNG.normal(size=(40, 5)), RNG.normal(size=(7, 5)))
    teachers = [RNG.normal(size=(40, 3)), RNG.normal(size=(40, 6))]
    together = linear_maps(student, teachers)
    for one, teacher in zip(together, teachers, strict=True):
        np.testing.assert_allclose(one, linear_maps(student, [teacher])[0], rtol=1e-8)
    with pytest.raises(ValueError, match="40 clean images of the student, 39 of a teacher"):
        linear_maps(student, [teachers[0][:39]])


# ------------------------------------------------------------------------------------------------------ whole studies
@pytest.fixture(scope="module")
def dataset() -> data.Dataset:
    return data.load("digits", limit=130)


def outputs(split: data.Split, indices: torch.Tensor, mix: np.ndarray, weight: np.ndarray) -> Outputs:
    """What a network gives that only mixes pixels."""
    features = torch.from_numpy(np.maximum(split.images[indices].flatten(1).numpy() / 16 @ mix, 0)).float()
    return Outputs(features, features @ torch.from_numpy(weight.T).float(), split.labels[indices])


def write(folder: Path, spec: RunSpec, dataset: data.Dataset, mix: np.ndarray, weight: np.ndarray) -> Run:
    run = Run.open(folder, spec)
    parts = [
        outputs(dataset.test, torch.arange(len(dataset.test.labels)), mix, weight),
        outputs(dataset.train, torch.arange(spec.clean_images), mix, weight),
    ]
    run.write_snapshot("final", *parts, spec.epochs)
    weights = {"classifier.weight": torch.from_numpy(weight).float(), "classifier.bias": torch.zeros(CLASSES)}
    write_tensors(run.path / "model.safetensors", weights, {})
    history(spec.epochs, 0).to_parquet(run.path / "history.parquet")
    return run


@pytest.fixture(scope="module")
def folders(dataset: data.Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A study of two teachers and two students, the first its teacher renumbered; a wider teacher beside."""
    first, second = (tmp_path_factory.mktemp("runs") / name for name in ("narrow", "wide"))
    spec = replace(SPEC, data_checksum=dataset.checksum, clean_images=100, bystander=None)
    taught = replace(spec, role="teacher", model="resnet20", teacher=None)
    mix, weight = RNG.normal(size=(64, WIDTH)), RNG.normal(size=(CLASSES, WIDTH))
    teacher = write(first, taught, dataset, mix, weight)
    write(first, replace(taught, init_seed=1), dataset, RNG.normal(size=(64, WIDTH)), RNG.normal(size=(CLASSES, WIDTH)))
    learned = replace(spec, teacher={"model": "resnet20", "checksum": checksum(teacher.weights())})
    order = RNG.permutation(WIDTH)
    write(first, learned, dataset, mix[:, order], weight[:, order])
    hot = replace(learned, method="kd", method_parameters={"temperature": 4.0, "alpha": 0.9})
    write(first, hot, dataset, mix, weight)
    wide = replace(taught, model="resnet14x4")
    write(second, wide, dataset, RNG.normal(size=(64, 30)), RNG.normal(size=(CLASSES, 30)))
    return [first, second]


@pytest.fixture(scope="module")
def target(folders: list[Path], dataset: data.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "narrow"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparisons, "PERPLEXITIES", (5,))
        patch.setattr(comparisons, "CHANCES", (0,))
        comparisons.write(folders, dataset, folder)
    return folder


def test_every_network_meets_every_teacher(target: Path, folders: list[Path]) -> None:
    table = pd.read_parquet(target / "comparisons" / "stitching.parquet")
    assert len(table) == (2 + 1 + 1) * 3  # students, untrained, pixels; teachers
    rows = table.set_index(["name", "relation"])
    renumbered, same = rows.loc[("normal-wd0.0005-s0", "own")], rows.loc[("kd-T4-a0.9-wd0.0005-s0", "own")]
    assert same["raw"] == same["accuracy"] == renumbered["matched"] == renumbered["accuracy"]
    assert renumbered["teacher"] == "narrow/teacher-s0" and renumbered["study"] == "narrow"
    assert rows.loc[("normal-wd0.0005-s0", "alike"), "teacher"] == "narrow/teacher-s1"
    other = rows.loc[("normal-wd0.0005-s0", "other")]
    assert other["teacher"] == "wide/teacher-s0" and np.isnan(other["raw"]) and 0 <= other["linear"] <= 1
    assert renumbered["weights"] == checksum(Run(folders[0] / "normal-wd0.0005-s0").weights())
    assert set(table.loc[table["kind"] != "student", "name"]) == {"pixels", "untrained-resnet8-s0"}


def test_class_distances_are_those_of_the_class_means(target: Path, folders: list[Path], dataset: data.Dataset) -> None:
    found, _ = read_tensors(target / "comparisons" / "classes.safetensors")
    teacher = Run(folders[0] / "teacher-s1")
    taken = teacher.snapshot("final")
    assert taken is not None
    means = np.array([taken.features[taken.labels == k].mean(0) for k in range(CLASSES)])
    np.testing.assert_allclose(found[checksum(teacher.weights())], pdist(means), rtol=1e-5)
    pixels = dataset.test.images.flatten(1).numpy() / 255
    means = np.array([pixels[dataset.test.labels == k].mean(0) for k in range(CLASSES)])
    np.testing.assert_allclose(found["pixels"], pdist(means / dataset.std[0]), rtol=1e-4)
    assert len(found) == 3 + 1 + 1


def test_maps_are_of_the_same_images_and_say_what_they_are(target: Path) -> None:
    tensors, told = read_tensors(target / "comparisons" / "maps.safetensors")
    networks = {"normal", "KD T=4", "teacher"}
    assert set(told["networks"]) == networks and told["perplexities"] == [5]  # type: ignore[call-overload]
    count = len(tensors["labels"])
    for name in networks:
        assert tensors[f"{name}/neighbours"].shape == (count, 10)
        assert all(tensors[f"{name}/5/{start}"].shape == (count, 2) for start in ("teacher", "random 0"))
    # KD's features are the teacher's own: started alike, the maps are alike, and random starts differ.
    torch.testing.assert_close(tensors["KD T=4/5/teacher"], tensors["teacher/5/teacher"], atol=0.1, rtol=0.01)
    assert not torch.allclose(tensors["teacher/5/random 0"], tensors["teacher/5/teacher"], atol=1)


def test_runs_of_one_seed_leave_what_is_published_of_another(
    target: Path, folders: list[Path], dataset: data.Dataset, tmp_path: Path
) -> None:
    """Rows of published students, floors and teachers stay, and the maps where one of their students is missing."""
    results, alone = tmp_path / "narrow", tmp_path / "alone"
    shutil.copytree(target, results)
    for name in ("teacher-s0", "normal-wd0.0005-s0"):  # published: the other student and teacher are not
        shutil.copytree(folders[0] / name, results / name)
    shutil.copytree(folders[0] / "teacher-s0", alone / "teacher-s0")
    taught = Run(alone / "teacher-s0")
    weight, mix = taught.weights()["classifier.weight"].numpy(), RNG.normal(size=(64, WIDTH))
    spec = replace(Run(folders[0] / "normal-wd0.0005-s0").spec, init_seed=2)
    write(alone, spec, dataset, mix, weight)
    written = comparisons.write([alone], dataset, results)
    assert [file.name for file in written] == ["classes.safetensors", "stitching.parquet"]
    table = pd.read_parquet(results / "comparisons" / "stitching.parquet")
    assert set(table["name"]) == {
        *("normal-wd0.0005-s0", "normal-wd0.0005-s2", "pixels", "untrained-resnet8-s0", "untrained-resnet8-s2")
    }
    before = pd.read_parquet(target / "comparisons" / "stitching.parquet")
    own = before["name"] == "normal-wd0.0005-s0"
    pd.testing.assert_frame_equal(
        table[table["name"] == "normal-wd0.0005-s0"].reset_index(drop=True), before[own].reset_index(drop=True)
    )
    assert not table.duplicated(["name", "weights", "teacher_weights"]).any()
    gaps, _ = read_tensors(results / "comparisons" / "classes.safetensors")
    assert set(gaps) == {taught.weights_checksum, "pixels", "untrained-resnet8-s0", "untrained-resnet8-s2"}
    same = (results / "comparisons" / "maps.safetensors").read_bytes()
    assert same == (target / "comparisons" / "maps.safetensors").read_bytes()


def test_other_readers_do_not_stumble_over_comparisons(target: Path) -> None:
    assert runs.find(target) == [] and not runs.are_published(target)
    assert 0 < publish.size(target) < 300_000


# ------------------------------------------------------------------------------------------------------------ refusals
def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert command_line.main(["compare", "--profile", "digits", *map(str, words)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("kdnb: ") and said.count("\n") == 1
    return said


def test_bad_input_is_refused_by_name_and_nothing_is_written(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    rest = ["--output", out]
    assert "no finished runs" in refused(capsys, "--runs", tmp_path, *rest)
    assert "saw other data" in refused(capsys, "--runs", folders[0], *rest)
    assert "it takes both" in refused(capsys, "--runs", folders[1], "--limit", 130, *rest)
    assert command_line.main(["compare", "--profile", "cifar", "--runs", str(folders[0])]) == 2
    assert "unknown profile 'cifar'" in capsys.readouterr().err
    assert not out.exists()


def test_too_few_images_for_its_maps_are_refused_before_any_work(
    folders: list[Path], dataset: data.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparisons, "PERPLEXITIES", (5, len(dataset.test.labels)))
    monkeypatch.setattr(comparisons.Studies, "floors", None)
    with pytest.raises(ValueError, match=f"takes more than {len(dataset.test.labels)}: train with a limit above that"):
        comparisons.write(folders, dataset, tmp_path / "out")


def test_runs_of_other_images_and_published_ones_are_refused(
    folders: list[Path], dataset: data.Dataset, tmp_path: Path
) -> None:
    mix, weight = RNG.normal(size=(64, WIDTH)), RNG.normal(size=(CLASSES, WIDTH))
    spec = replace(SPEC, data_checksum="another", clean_images=100)
    odd = write(tmp_path, spec, dataset, mix, weight)
    with pytest.raises(ValueError, match=f"{odd.path} are of other images \\(data_checksum"):
        comparisons.Studies.find([folders[0], tmp_path], dataset, tmp_path / "out")
    (odd.path / "published.json").write_text(json.dumps({}))
    with pytest.raises(ValueError, match=f"published without their features: {odd.path}"):
        comparisons.Studies.find([tmp_path], dataset, tmp_path / "out")


def test_a_copied_teacher_counts_once_and_maps_need_the_first(
    folders: list[Path], dataset: data.Dataset, tmp_path: Path
) -> None:
    (tmp_path / "teacher-s0").symlink_to(folders[0] / "teacher-s0")
    out = tmp_path / "out"
    assert len(comparisons.Studies.find([folders[0], tmp_path], dataset, out).teachers) == 2
    found = comparisons.Studies.find([folders[0], folders[0]], dataset, out)
    assert len(found.students) == 2
    assert [run.path.name for run in found.mapped(folders[0])] == list(comparisons.MAPPED)
    with pytest.raises(FileNotFoundError, match=f"{folders[1]} has no finished teacher-s0"):
        comparisons.maps(found, folders[1])


def test_students_of_published_teachers_are_compared_as_beside_their_own_runs(
    tiny_folder: Path, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the rounding of the published weights; untrained networks and pixels stay as they are."""
    monkeypatch.setattr(comparisons, "PERPLEXITIES", (5,))
    monkeypatch.setattr(comparisons, "CHANCES", ())
    alone, seen = tmp_path / "alone", data.load("digits", limit=128)
    shutil.copytree(tiny_folder, alone, ignore=shutil.ignore_patterns("teacher-*"))
    for name in ("full", "small"):
        shutil.copytree(published, tmp_path / name, ignore=shutil.ignore_patterns("comparisons"))
    comparisons.write([tiny_folder], seen, tmp_path / "full")
    assert len(comparisons.write([alone], seen, tmp_path / "small")) == 3  # the maps too
    full, small = (
        pd.read_parquet(tmp_path / name / "comparisons/stitching.parquet").sort_values(["name", "teacher_weights"])
        for name in ("full", "small")
    )
    same = ["name", "kind", "model", "label", "seed", "weights", "teacher_weights", "relation", "accuracy"]
    pd.testing.assert_frame_equal(small[same].reset_index(drop=True), full[same].reset_index(drop=True))
    for column in ("raw", "matched", "linear"):  # of 128 test images
        assert np.abs(small[column].to_numpy() - full[column].to_numpy()).max() <= 3 / 128
    ours, theirs = (read_tensors(tmp_path / name / "comparisons/classes.safetensors")[0] for name in ("small", "full"))
    assert ours.keys() == theirs.keys()
    for spec in alone.glob("*/spec.json"):  # another's students are no start for maps
        other = {"teacher": {"model": "resnet8", "checksum": "another"}}
        shutil.copytree(spec.parent, tmp_path / "other" / spec.parent.name)
        (tmp_path / "other" / spec.parent.name / "spec.json").write_text(
            json.dumps(json.loads(spec.read_text()) | other)
        )
    strangers = comparisons.Studies.find([tmp_path / "other"], seen, tmp_path / "small")
    assert {run.spec.role for run in strangers.mapped(tmp_path / "other")} == {"student"}
    (tmp_path / "small/teacher-s1/model.safetensors").unlink()  # published as bystanders once were: what is known stays
    comparisons.write([alone], seen, tmp_path / "small")
    again = pd.read_parquet(tmp_path / "small/comparisons/stitching.parquet").sort_values(["name", "teacher_weights"])
    pd.testing.assert_frame_equal(again.reset_index(drop=True), small.reset_index(drop=True))
    for name, gaps in ours.items():
        torch.testing.assert_close(gaps, theirs[name], rtol=2e-2, atol=1e-3)


def test_without_features_nothing_is_written(folders: list[Path], dataset: data.Dataset, tmp_path: Path) -> None:
    lost = next((shutil.copytree(folders[0], tmp_path / "runs")).glob("kd*/features-final.safetensors"))
    lost.unlink()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(FileNotFoundError, match=f"{lost.parent} has lost"):
        patch.setattr(comparisons, "maps", lambda *_: ({}, {}))
        comparisons.write([tmp_path / "runs"], dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()
