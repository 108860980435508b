"""The benchmark compares like with like: the usual loop and ours train the same method on the same views."""

import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from recorded import Lane
from torch import nn

from benchmarks import bench, floors, switches, tracker, usual_loop
from benchmarks.contender import Block, Entry, measure
from benchmarks.loops import (
    IMAGES,
    RUNS,
    STUDENT,
    TEACHER,
    Evaluation,
    Ours,
    Place,
    Setting,
    dataset,
    frozen,
    specs,
    stand_in,
)
from kdnb import methods, models
from kdnb.data import Views
from kdnb.parameters import StudentParameters
from kdnb.runs import Run, RunSpec
from kdnb.train import cuda_graphs, study
from kdnb.train.learner import Batch, Learner
from kdnb.train.student import Student

CPU = Place("cpu", None, 0)


def small(seed: int) -> models.ResNet:
    torch.manual_seed(seed)
    return models.create("resnet8", 100)


def plain(spec: RunSpec, network: models.ResNet) -> Student:
    """A student with these weights."""
    return Student(methods.create(spec.method, spec.method_parameters), network, nn.Module())


def test_usual_loop_trains_what_ours_trains(tmp_path: Path) -> None:
    """From the same weights on the same images, losses and weights agree step by step."""
    images, teacher = dataset(CPU, 48), small(0).eval()
    parameters = StudentParameters(profile="cifar100", precision="fp32", nesterov=False)  # the field's SGD has none
    spec = study.make_spec(parameters, images, "student", "resnet8", "kd", {"temperature": 4.0, "alpha": 0.9})
    usual = usual_loop.UsualLoop(teacher, small(1), torch.device("cpu"))
    ours = Learner(Run.open(tmp_path, spec), plain(spec, small(1)), torch.device("cpu"), [])
    views = Views(images.train, images, "cpu")
    for chosen in torch.arange(48).split(16):
        batch, labels = views(chosen, chosen), views.labels[chosen]
        with torch.no_grad():
            outputs = teacher(batch)
        usual.step(batch, labels)
        ours.step(Batch(batch, labels, chosen, outputs))
        *terms, correct, count = ours.sums.tolist()
        assert usual.losses.mean == pytest.approx(sum(terms) / count, rel=1e-4)
        assert usual.top1.mean == pytest.approx(100 * correct / count)
    usual_weight, weight = (network.state_dict()["classifier.weight"] for network in (usual.student, ours.network))
    torch.testing.assert_close(usual_weight, weight, rtol=1e-3, atol=1e-5)


def test_loader_shows_our_views() -> None:
    """What the usual loop's transforms make of an image is one of its 162 views, bit by bit."""
    images = dataset(CPU, 2)
    views = Views(images.train, images, "cpu")
    every = views(torch.ones(1, dtype=torch.long).expand(views.count), torch.arange(views.count))
    torch.manual_seed(0)
    shown, label = usual_loop.pictures(None, 2)[1]
    assert label == 1 and views.count == bench.VIEWS
    assert (every == shown).flatten(1).all(1).sum() == 1


def test_work_is_the_designs() -> None:
    """One student 12.8 PFLOP and about 84 TB, a teacher 78 PFLOP, the table 17.6 PFLOP."""
    epochs = bench.EPOCHS * IMAGES
    student = floors.training(STUDENT, "bf16")
    assert epochs * student.operations / 1e15 == pytest.approx(12.8, abs=0.1)
    assert epochs * student.traffic / 1e12 == pytest.approx(84, rel=0.05)
    assert epochs * floors.training(TEACHER, "bf16").operations / 1e15 == pytest.approx(78, abs=0.5)
    assert IMAGES * bench.VIEWS * floors.forward(TEACHER, "bf16").operations / 1e15 == pytest.approx(17.6, abs=0.1)
    assert floors.training(STUDENT, "fp32").traffic == 2 * student.traffic


def test_table_is_shared_by_all_images_of_the_sweep() -> None:
    """All its forward passes, spread over all images that the sweep trains on; a table of no cost changes nothing."""
    images = RUNS * bench.EPOCHS * IMAGES
    assert images * bench.table_seconds(50.0) == pytest.approx(IMAGES * bench.VIEWS / 50)
    assert bench.with_table([2.0], [10.0], [float("inf")]) == pytest.approx([5.0])
    assert bench.with_table([2.0], [10.0], [1.0])[0] < 5


def test_settings_train_the_papers_sweep() -> None:
    images = dataset(CPU, 4)
    teacher = frozen(images, 0)
    sweep = specs(Setting("fp32", "sweep"), images, teacher, teacher)
    assert [spec.label for spec in sweep] == ["normal", *(f"KD T={t}" for t in range(1, 11))] and len(sweep) == RUNS
    (alone,) = specs(Setting("fp32", "teacher", "live"), images, teacher, teacher)
    assert alone.model == TEACHER and alone.teacher is None
    assert stand_in(images, 162, torch.device("cpu")).logits.shape == (4, 162, 100)


def test_a_switch_turns_one_thing() -> None:
    for switch in switches.switches("bf16", ["tf32", "bf16", "fp16"]):
        assert sum(a != b for a, b in zip(switch.plain, switch.turned, strict=True)) == 1, switch.name


def test_plain_steps_are_not_timed_in_the_place_of_captured_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(cuda_graphs, "Captured", refused)
    monkeypatch.setattr(cuda_graphs, "Lane", Lane)
    monkeypatch.setattr(cuda_graphs.GraphSteps, "failure", "")
    monkeypatch.setattr(cuda_graphs, "steps", lambda prepare, *_: cuda_graphs.GraphSteps(prepare, 1))
    ours = Ours(CPU, Setting("fp32", images=64))
    with pytest.raises(RuntimeError, match="a capture failed: RuntimeError: operation not permitted"):
        ours.run(1)


def test_the_tracker_s_share_of_an_epoch_and_of_the_paper(capsys: pytest.CaptureFixture[str]) -> None:
    """Of all that a row asks: what training calls is called here."""
    tracker.main(tracker.Amounts(pairs=1, steps=1, test=200, clean=200))
    said = capsys.readouterr().out
    assert re.findall(r"^([a-z, ]+): ", said, re.MULTILINE) == [
        *("step, plain", "step, with account", "clean pass", "solvers", "tracker")
    ]
    rates = {name: 1e3 for name in (bench.USUAL, bench.SWEEP, bench.IN_TRAINING, bench.EVALUATION)}
    rates |= {name: 1e3 for name in ("fp32, table", "table, fp32")}
    block = {name: SimpleNamespace(blocks=[Block(rate, 0.0, 0.0)]) for name, rate in rates.items()}
    bench.print_sums(block, "fp32", 1.5)  # type: ignore[arg-type]
    assert "tracker, 1.50 s a row 66.0 min" in capsys.readouterr().out


def fail() -> Evaluation:
    raise RuntimeError("this one cannot be built")


def test_each_runs_in_its_own_process_and_failures_are_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    entries = {"good": Entry(partial(Evaluation, CPU, "fp32"), 8), "bad": Entry(fail, 1)}
    measured = measure(entries, rounds=2, warm_up=1)
    assert list(measured) == ["good"] and "bad: failed to start" in capfd.readouterr().out
    assert len(measured["good"].blocks) == 2 and all(rate > 0 for rate in bench.rates(measured["good"]))
