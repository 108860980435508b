"""The loop: what must be equal to the last bit, what must be paired, and what must be refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Train, same, tiny, with_teachers

from kdnb import data
from kdnb.runs import Run
from kdnb.runs.randomness import epoch_plan, generator, initial_network
from kdnb.train import study, teacher
from kdnb.train.loop import check_shareable, check_teacher_outputs


def test_a_run_alone_equals_itself_in_a_group(train: Train, tiny_runs: list[Run]) -> None:
    (alone,) = train(methods=["kd"], temperatures=[4])
    (grouped,) = [run for run in tiny_runs if run.label == "KD T=4"]
    same(alone, grouped)


def test_students_of_one_seed_are_paired(tiny_runs: list[Run]) -> None:
    digits = data.load("digits", limit=128)
    first, other = (initial_network(run.spec, digits).state_dict() for run in tiny_runs[:2])
    assert all(torch.equal(first[name], other[name]) for name in first)
    spec = tiny_runs[0].spec
    reseeded = initial_network(replace(spec, init_seed=1), digits).state_dict()
    assert not torch.equal(first["conv1.weight"], reseeded["conv1.weight"])
    order, views = epoch_plan(spec, 128, 9, 2)
    for changed, same_order, same_views in (({"init_seed": 5}, True, True), ({"view_seed": 5}, True, False)):
        again = epoch_plan(replace(spec, **changed), 128, 9, 2)
        assert torch.equal(order, again[0]) == same_order and torch.equal(views, again[1]) == same_views
    assert not torch.equal(order, epoch_plan(spec, 128, 9, 3)[0])


@pytest.mark.parametrize(("images", "views", "limit"), [(896, 9, 26.1), (50_000, 162, 222.2)])
def test_views_are_drawn_uniformly(tiny_runs: list[Run], images: int, views: int, limit: float) -> None:
    """Chi-square over 20 epochs, for digits and for CIFAR; ``limit``: p = 0.001 at ``views`` - 1 degrees of freedom."""
    spec = tiny_runs[0].spec
    drawn = torch.cat([epoch_plan(spec, images, views, epoch)[1] for epoch in range(1, 21)])
    counts = drawn.bincount(minlength=views).double()
    expected = 20 * images / views
    assert len(counts) == views and float(((counts - expected) ** 2 / expected).sum()) < limit


def test_the_order_visits_every_image_once(tiny_runs: list[Run]) -> None:
    order, _ = epoch_plan(tiny_runs[0].spec, 128, 9, 1)
    assert sorted(order.tolist()) == list(range(128))


def test_the_draws_of_one_seed_are_independent_by_role_use_and_epoch(tiny_runs: list[Run]) -> None:
    spec = tiny_runs[0].spec
    pupil, master = (replace(spec, role=role) for role in ("student", "teacher"))
    streams = [
        generator(role, use, 0, epoch) for role in (pupil, master) for use in ("order", "views") for epoch in (1, 2)
    ]
    assert len({tuple(torch.randint(1000, (4,), generator=stream).tolist()) for stream in streams}) == 8
    digits = data.load("digits", limit=128)
    first, second = (initial_network(role, digits).state_dict()["conv1.weight"] for role in (pupil, master))
    assert not torch.equal(first, second)


def test_the_learning_rate_falls_at_151_181_and_211(tiny_runs: list[Run]) -> None:
    spec = replace(tiny_runs[0].spec, epochs=240, drops=(150, 180, 210))
    at = {epoch: spec.lr_at(epoch) for epoch in (1, 150, 151, 180, 181, 210, 211, 240)}
    assert list(at.values()) == pytest.approx([0.05, 0.05, 5e-3, 5e-3, 5e-4, 5e-4, 5e-5, 5e-5])


def test_one_step_equals_a_step_written_out(train: Train) -> None:
    """One epoch of one batch: Nesterov and decay by hand in float64 on the classifier's bias and weight."""
    (run,) = train(methods=["normal"], epochs=1, batch_size=128)
    digits = data.load("digits", limit=128)
    network = initial_network(run.spec, digits)
    order, views = epoch_plan(run.spec, 128, 9, 1)
    head = network.classifier
    output = network(data.Views(digits.train, digits, "cpu")(order, views))
    labels = digits.train.labels[order]
    probabilities = torch.softmax(output.logits.detach().double(), 1)
    residual = (probabilities - torch.nn.functional.one_hot(labels, 10)) / 128
    gradient = residual.t() @ output.features.detach().double() + 5e-4 * head.weight.detach().double()
    expected = head.weight.detach().double() - 0.05 * 1.9 * gradient  # Nesterov's first step: g + 0.9 g
    weight, _ = run.trace()
    np.testing.assert_allclose(weight[0], expected.numpy(), rtol=0, atol=2e-6)


def test_another_spec_is_refused_and_kept(train: Train) -> None:
    (run,) = train(methods=["normal"])
    before = {file.name: file.read_bytes() for file in run.path.iterdir() if file.is_file()}
    with pytest.raises(ValueError, match=r"epochs: there 3, asked 5.*another output_dir"):
        train(methods=["normal"], epochs=5)
    assert before == {file.name: file.read_bytes() for file in run.path.iterdir() if file.is_file()}


def test_a_group_must_share_batches(tiny_runs: list[Run]) -> None:
    spec = tiny_runs[0].spec
    with pytest.raises(ValueError, match="order_seed differs"):
        check_shareable([spec, replace(spec, order_seed=7)])


def test_unequal_feature_widths_are_refused_before_any_work(train: Train, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"64.*256|256.*64"):
        train(student_model="resnet8x4")
    assert not list(tmp_path.glob("normal*"))


def test_a_teacher_of_other_data_is_refused(train: Train) -> None:
    with pytest.raises(ValueError, match="trained on other data"):
        train(limit=64)


def test_a_checkpoint_of_ones_own(tiny_folder: Path, tmp_path: Path, train: Train) -> None:
    """In the public naming, saved by torch: the same network as the run it came from; and a misfit is named."""
    trained = Run(tiny_folder / "teacher-s0")
    digits = data.load("digits", limit=128)
    public = {name.replace("classifier.", "fc."): tensor for name, tensor in trained.weights().items()}
    torch.save({"model": public}, tmp_path / "own.pth")
    own = teacher.from_file("resnet8", tmp_path / "own.pth", digits)
    assert own.checksum == teacher.from_run(trained, digits).checksum
    with pytest.raises(ValueError, match="do not fit resnet20"):
        teacher.from_file("resnet20", tmp_path / "own.pth", digits)
    (tmp_path / "broken.pth").write_bytes((tmp_path / "own.pth").read_bytes()[:1000])
    with pytest.raises(ValueError, match="broken.pth cannot be read"):
        teacher.from_file("resnet8", tmp_path / "broken.pth", digits)
    (run,) = train(methods=["normal"], teacher_weights=str(tmp_path / "own.pth"))
    assert run.spec.teacher == {"model": "resnet8", "checksum": own.checksum}


def test_names_of_a_study_are_those_of_its_runs(tiny_folder: Path, tiny_runs: list[Run]) -> None:
    names = study.student_names(tiny(tiny_folder, methods=["normal", "kd", "dist", "mse"]))
    assert sorted(names) == sorted(run.path.name for run in tiny_runs)


def test_the_plain_readings_differ_where_they_should(train: Train) -> None:
    squared, plain = (train(methods=["kd"], temperatures=[4], squared=value)[0] for value in (True, False))
    assert squared.path != plain.path
    ratio = squared.history["loss_kd"][0] / plain.history["loss_kd"][0]
    assert 8 < ratio < 24  # T^2 = 16, on weights that part after the first step


def test_a_table_trains_like_the_live_teacher(train: Train, tmp_path: Path) -> None:
    """KD from the table's fp16 logits: the first epochs' losses as with the live teacher, within that rounding."""
    histories = {}
    for outputs in ("live", "table"):
        folder = with_teachers(tmp_path / outputs, tmp_path)
        (run,) = train(output_dir=str(folder), methods=["kd"], temperatures=[4], teacher_outputs=outputs)
        assert run.spec.teacher_outputs == outputs
        assert bool(list(folder.glob("table-*/logits.npy"))) == (outputs == "table")
        histories[outputs] = run.history
    live, stored = histories["live"], histories["table"]
    assert not live["loss"].equals(stored["loss"])
    np.testing.assert_allclose(stored["loss"], live["loss"], rtol=1e-3)


def test_who_needs_no_teacher_gets_none(train: Train, tmp_path: Path) -> None:
    train(methods=["normal"], teacher_outputs="table")
    assert not list(tmp_path.glob("table-*"))


def test_a_table_serves_no_method_that_learns_from_maps() -> None:
    for outputs in ("live", None):
        check_teacher_outputs(["kd", "fitnet"], outputs)
    check_teacher_outputs(["kd", "crd"], "table")
    with pytest.raises(ValueError, match=r"'fitnet' learns from the teacher's maps.*teacher_outputs='live'"):
        check_teacher_outputs(["kd", "fitnet"], "table")


def test_teacher_outputs_are_part_of_the_identity(train: Train) -> None:
    train(methods=["normal"], teacher_outputs="live")
    with pytest.raises(ValueError, match="teacher_outputs: there 'live', asked 'table'"):
        train(methods=["normal"], teacher_outputs="table")
