"""Published runs: small, whole, read like any other, and never in the place of something else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import Train
from made_up import SPEC

from kdnb import data, runs
from kdnb.analysis import maps as mapss
from kdnb.analysis import publish, selection, separation, spaces
from kdnb.analysis.selection import ChapterParameters, MapParameters
from kdnb.claims import paper
from kdnb.data import Views
from kdnb.figures import training
from kdnb.figures.correlation import accuracy
from kdnb.files import write_tensors
from kdnb.measure.outputs import Outputs, collect
from kdnb.runs import PublishedRun, Run
from kdnb.train.teacher import from_state

HIGH, KEPT = "kd-T4-a0.9-wd0.0005-s0", {"spec.json", "provenance.json", "history.parquet", "published.json", "finished"}


# ------------------------------------------------------------------------------------------------------ what is kept
def test_a_published_run_holds_what_it_says_and_nothing_large(published: Path) -> None:
    files = {folder.name: {file.name for file in folder.iterdir()} for folder in published.iterdir()}
    student = KEPT | {"classifier.safetensors", "map.safetensors"}
    assert files[HIGH] == student
    assert files["teacher-s0"] == student | {"model.safetensors"}
    assert files["teacher-s1"] == KEPT | {"classifier.safetensors", "model.safetensors"}
    assert all(publish.size(published / name) < publish.RUN_BYTES for name in files if "teacher" not in name)
    bystander = runs.run_in(published / "teacher-s1")
    assert bystander.trace_epochs == [3] and bystander.told["final"] is None


def test_the_folder_decides_which_class_a_run_is_of(tiny_folder: Path, published: Path) -> None:
    for folder, kind in ((tiny_folder, Run), (published, PublishedRun)):
        every = [*runs.find(folder), runs.load(folder / HIGH), runs.run_in(folder / HIGH)]
        assert {type(run) for run in every} == {kind}
        assert runs.are_published(folder) == (kind is PublishedRun) == every[0].is_published
    full, small = (runs.run_in(folder / HIGH) for folder in (tiny_folder, published))
    assert small.weights_checksum == full.weights_checksum and small.test_images == full.test_images


def test_every_verdict_is_the_full_runs(tiny_folder: Path, published: Path) -> None:
    full, small = (runs.find(folder, role="student") for folder in (tiny_folder, published))
    for one, other in zip(paper.judge(full), paper.judge(small), strict=True):
        assert (other.claim, other.verdict, other.parts, other.seeds) == (one.claim, one.verdict, one.parts, one.seeds)
        for name, values in one.values.items():  # single precision, and differences of its curves
            np.testing.assert_allclose(other.values[name], values, rtol=1e-3, atol=1e-5)
    for one, other in zip(full, small, strict=True):
        assert other.spec == one.spec and other.provenance == one.provenance
        rounded = one.history.astype(dict.fromkeys(one.history.select_dtypes("float"), np.float32))
        again = other.history.astype(rounded.dtypes.to_dict())
        pd.testing.assert_frame_equal(again, rounded, check_exact=True)


def test_measures_are_those_of_the_full_feature_space(tiny_folder: Path, published: Path) -> None:
    taken = Run(tiny_folder / HIGH).snapshot("final")
    space = spaces.space(runs.run_in(published / HIGH), "final")
    assert taken is not None and space is not None and space.epoch == taken.epoch == 3
    assert space.separation == separation.measures(taken.features, taken.labels)
    assert runs.run_in(published / HIGH).test_images == len(taken.labels)
    for folder in (tiny_folder, published):
        assert spaces.space(runs.run_in(folder / HIGH), "matched") is None  # 3 epochs do not reach it


def test_the_trace_is_thinned_and_says_which_epochs_are_left(tiny_folder: Path, published: Path) -> None:
    full, small = Run(tiny_folder / HIGH), runs.run_in(published / HIGH)
    assert full.trace_epochs == [1, 2, 3] and small.trace_epochs == [3]
    teacher = Run(tiny_folder / "teacher-s0")
    mu = np.linalg.norm(small.trace()[0][-1] - teacher.weights()["classifier.weight"].numpy())
    np.testing.assert_allclose(mu, full.last("mu_raw"), rtol=1e-3)
    kept = runs.run_in(published / "teacher-s0")
    assert kept.trace_epochs == [1, 2, 3] == training.shown_epochs(kept)
    np.testing.assert_allclose(kept.trace()[0], teacher.trace()[0], rtol=1e-3, atol=1e-4)


def test_distances_of_rows_are_published_whole_and_sum_up_to_mu(tiny_folder: Path, published: Path) -> None:
    teacher = Run(tiny_folder / "teacher-s0")
    full, small = (runs.run_in(folder / HIGH).row_distances(teacher) for folder in (tiny_folder, published))
    np.testing.assert_array_equal(small, full.astype(np.float16))
    assert small.shape == (3, 10)
    np.testing.assert_allclose(np.sqrt((small**2).sum(1)), runs.run_in(published / HIGH).history["mu_raw"], rtol=5e-4)


def test_kept_epochs_are_few_and_those_that_matter(train: Train) -> None:
    (run,) = train(methods=["normal"], epochs=12, matched_accuracy=0.3)
    kept = publish.kept_epochs(run)
    assert kept == sorted({1, run.matched_epoch, 8, 12}) and run.spec.drops[0] == 8
    matched = run.snapshot("matched")
    assert matched is not None and matched.epoch == run.matched_epoch


def test_the_teacher_in_half_precision_answers_as_before(tiny_folder: Path, published: Path) -> None:
    digits = data.load("digits", limit=128)
    full, small = (
        from_state("resnet8", runs.run_in(folder / "teacher-s0").weights(), digits, "test").network
        for folder in (tiny_folder, published)
    )
    views = Views(digits.test, digits, "cpu")
    one, other = (collect(network, views, torch.arange(len(digits.test.labels))) for network in (full, small))
    assert (one.logits - other.logits).abs().max() < 2e-2 * one.logits.abs().max()
    assert abs(one.accuracy - other.accuracy) <= 2 / len(one.labels)


def test_more_students_are_trained_of_published_teachers(tiny_folder: Path, published: Path, train: Train) -> None:
    """Who are known by the weights that they had, and said to be rounded."""
    full = Run(tiny_folder / HIGH)
    (again,) = train(methods=["kd"], temperatures=[4], teachers_dir=str(published))
    assert again.spec == full.spec
    ours, theirs = (run.provenance["sessions"][0].get("rounded_teachers") for run in (again, full))
    assert ours == ["teacher", "bystander"] and theirs is None
    for column in ("loss", "mu_raw", "bystander_mu_raw"):
        one, other = again.history[column], full.history[column]
        assert (one != other).any()
        np.testing.assert_allclose(one, other, rtol=2e-2)


def test_a_weight_beyond_half_precision_is_kept_whole() -> None:
    given = {"wide": torch.full((2, 2), 1e6), "fine": torch.full((2, 2), 1e-3), "vector": torch.full((2,), 1e-3)}
    kept = publish.with_halved_matrices(given)
    assert [tensor.dtype for tensor in kept.values()] == [torch.float32, torch.float16, torch.float32]
    torch.testing.assert_close(kept["wide"], given["wide"], rtol=0, atol=0)


def test_a_run_of_the_papers_size_fits(tmp_path: Path) -> None:
    """240 epochs, 100 classes, 256 features and half as many columns again: random, so that nothing compresses."""
    spec = replace(SPEC, dataset="cifar100", epochs=240, drops=(150, 180, 210))
    run, labels = Run.open(tmp_path / "full", spec), torch.arange(2500) % 100
    outputs = Outputs(torch.rand(2500, 256), torch.zeros(2500, 100), labels)
    run.write_snapshot("matched", outputs, outputs, 60)
    run.write_snapshot("final", outputs, outputs, 240)
    write_tensors(
        run.path / "classifier.safetensors", {"weight": torch.rand(240, 100, 256), "bias": torch.rand(240, 100)}, {}
    )
    write_tensors(run.path / "model.safetensors", {"weight": torch.rand(9, 9)}, {})
    history = pd.DataFrame(np.random.default_rng(0).random((240, 65))).rename(columns=lambda k: f"column_{k}")
    history.assign(epoch=range(1, 241), clean_accuracy=np.linspace(0, 1, 240)).to_parquet(run.path / "history.parquet")
    run.write_provenance({"sessions": []})
    teacher = Run(tmp_path / "teacher")
    write_tensors(teacher.path / "model.safetensors", {"classifier.weight": torch.rand(100, 256)}, {})
    study = publish.Source(tmp_path, [run], teacher)
    study.__dict__["atlas"] = separation.Atlas(np.zeros(0), np.zeros(0), 30, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(separation.Atlas, "map", lambda self, x: np.random.default_rng(1).normal(size=(len(x), 2)))
        made = publish.build(study, run, tmp_path / "small", PublishedRun(tmp_path / "nowhere"))
    assert made.trace()[0].shape == (1, 100, 256) and made.trace_epochs == [240]
    assert 250_000 < publish.size(made.path) < publish.RUN_BYTES


# -------------------------------------------------------------------------------------------------------------- maps
def test_the_images_of_a_map_are_balanced_and_fixed() -> None:
    labels = np.random.default_rng(0).integers(0, 10, 5000)
    chosen = publish.subset(labels)
    assert len(set(chosen)) == len(chosen) == 2000 and np.array_equal(chosen, publish.subset(labels))
    assert np.ptp(np.bincount(labels[chosen])) <= 1
    assert np.ptp(np.bincount(labels[publish.subset(labels, 500)])) <= 1  # and so is every beginning of it


def test_maps_are_those_of_one_atlas(tiny_folder: Path, published: Path) -> None:
    """What is published is what :func:`kdnb.analysis.separation.tsne_maps` draws of the same images."""
    taken = {
        "teacher": Run(tiny_folder / "teacher-s0").snapshot("final"),
        "kd": Run(tiny_folder / HIGH).snapshot("final"),
    }
    chosen = publish.subset(taken["kd"].labels)
    expected = separation.tsne_maps({name: s.features[chosen] for name, s in taken.items()}, "teacher")
    for name, folder in (("teacher", "teacher-s0"), ("kd", HIGH)):
        space = spaces.space(runs.run_in(published / folder), "final")
        np.testing.assert_allclose(space.points, expected[name], rtol=1e-3, atol=1e-3)
        assert np.array_equal(space.labels, taken["kd"].labels[chosen])


def test_chapters_read_published_runs(published: Path) -> None:
    study = selection.load(ChapterParameters(output_dir=str(published)))
    assert study.teacher is not None and study.teacher.label == "teacher"
    found = mapss.spaces(study, "test", "final")
    drawn = mapss.maps(found, MapParameters(points=50))
    assert list(drawn) == ["normal", "KD T=1", "KD T=4", "DIST", "MSE", "teacher"]
    assert all(points.shape == (50, 2) for points in drawn.values())
    assert (
        mapss.measured(found)["ratio"]["KD T=4"]
        == spaces.space(runs.run_in(published / HIGH), "final").separation.ratio
    )
    assert "one test image is 0.78 points" in accuracy.sentence(study)  # of 128
    assert training.results(study.students)["epoch of matched accuracy"]["KD T=4"] == "never"


def test_outputs_that_were_left_out_are_not_taken_for_a_run_that_never_had_them(published: Path) -> None:
    with pytest.raises(FileNotFoundError, match="published without its outputs"):
        runs.run_in(published / HIGH).snapshot("matched")
