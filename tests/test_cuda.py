"""CUDA: the captured step against its plain twin. Where there is no CUDA device there is nothing to compare."""

import math
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Train, stopped_after, tiny, with_teachers

from kdnb import device as devices
from kdnb import methods
from kdnb.runs import Checkpoint, Run
from kdnb.train import loss_scale, study
from kdnb.train.learner import Batch, Learner

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
CUDA, GRAPHS = torch.device("cuda"), "CUDA graphs"
PLAIN: dict[str, object] = {"cuda_graph": False}
# Three students or one, two batches and an odd one.
COMMON: dict[str, object] = {"device": "cuda", "epochs": 2, "batch_size": 48, "temperatures": [1, 4]}
ONE: dict[str, object] = COMMON | {"methods": ["kd"], "temperatures": [4]}


def steps(run: Run) -> list[str]:
    """How each session's steps were computed: a capture that fails gives the same numbers, and no graph."""
    return [session["steps"] for session in run.provenance["sessions"]]


def apart(one: Run, other: Run) -> float:
    """Distance of what was trained in them."""
    pairs = [(w, other.weights()[name]) for name, w in one.weights().items() if "running" not in name]
    return math.sqrt(sum(float((w - v).float().square().sum()) for w, v in pairs))


@pytest.mark.parametrize("outputs", ["live", "table"])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("tf32", 1e-2), ("bf16", 2e-2), ("fp16", 1e-2)])
def test_graphs_equal_plain_steps_within_rounding(
    train: Train, tmp_path: Path, precision: str, tolerance: float, outputs: str
) -> None:
    """Losses and mu agree, and the account balances in all."""
    if not devices.has(CUDA, precision):
        pytest.skip(f"this GPU has no {precision}")
    histories = []
    for number, how in enumerate([PLAIN, {}, {"streams": 2}]):
        folder = with_teachers(tmp_path / str(number), tmp_path)
        runs = train(output_dir=str(folder), precision=precision, teacher_outputs=outputs, **COMMON, **how)
        assert all(steps(run) == ["plain" if how == PLAIN else GRAPHS] for run in runs)
        histories.append([run.history for run in runs])
    for plain, *graphed in zip(*histories, strict=True):
        for history in (plain, *graphed):
            np.testing.assert_allclose(history["loss"], plain["loss"], rtol=tolerance)
            np.testing.assert_allclose(history["mu_raw"], plain["mu_raw"], rtol=tolerance)
            assert (history["account_residual"].abs() < 1e-5 * history["mu_raw"] ** 2).all()


@pytest.mark.parametrize("name", methods.METHODS)
def test_every_methods_captured_step_equals_its_plain_one(name: str, train: Train, tmp_path: Path) -> None:
    """Projectors, memories and frozen classifiers too: apart by less than a fifth of the way that they went."""
    plain, graphed, begun = (
        train(
            output_dir=str(with_teachers(tmp_path / str(number), tmp_path)),
            precision="fp32",
            teacher_outputs="live",
            **ONE | {"methods": [name]},
            **how,
        )[0]
        for number, how in enumerate((PLAIN, {}, {"learning_rate": 1e-6}))
    )
    assert (steps(plain), steps(graphed)) == (["plain"], [GRAPHS])
    np.testing.assert_allclose(graphed.history["loss"], plain.history["loss"], rtol=1e-2)
    assert apart(graphed, plain) < 0.2 * apart(begun, plain)


@pytest.mark.parametrize("how", [PLAIN, {}], ids=["plain", "graphs"])
def test_steps_that_overflow_are_left_out(
    how: dict[str, object], train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scale begins far too large and falls until gradients fit; the account knows which steps were taken."""
    scales, write = list[float](), Run.write_checkpoint

    def kept(run: Run, checkpoint: Checkpoint) -> None:
        scales.append(float(checkpoint.tensors["loss_scale.scale"]))
        write(run, checkpoint)

    monkeypatch.setattr(Run, "write_checkpoint", kept)
    monkeypatch.setattr(loss_scale, "START", 2.0**40)
    (run,) = train(precision="fp16", **ONE | {"batch_size": 8, "epochs": 3}, **how)
    left_out, history = math.log2(loss_scale.START / scales[-1]), run.history
    assert 0 < left_out < 3 * 128 / 8 and history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert (history["account_residual"].abs() < 1e-5 * history["mu_raw"] ** 2).all()
    assert steps(run) == ["plain" if how == PLAIN else GRAPHS]


def test_a_stop_between_captured_epochs_changes_nothing(train: Train, tmp_path: Path) -> None:
    elsewhere = with_teachers(tmp_path / "whole", tmp_path), with_teachers(tmp_path / "begun", tmp_path)
    (whole,) = train(output_dir=str(elsewhere[0]), precision="fp32", **ONE)
    (begun,) = train(output_dir=str(elsewhere[1]), precision="fp32", learning_rate=1e-6, **ONE)
    with stopped_after(1):
        train(precision="fp32", **ONE)
    (resumed,) = train(precision="fp32", **ONE)
    assert steps(resumed) == [GRAPHS, GRAPHS] and len(resumed.history) == 2
    np.testing.assert_allclose(resumed.history["loss"], whole.history["loss"], rtol=1e-3)
    assert apart(resumed, whole) < 0.2 * apart(begun, whole)


def alone(work: Callable[[Path, Path], None], folder: Path, teachers: Path) -> None:
    """Do it in a process of its own: what it does to torch's allocator is not undone."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=(folder, teachers))
    process.start()
    process.join()
    assert process.exitcode == 0


def _fail_to_capture(folder: Path, teachers: Path) -> None:
    step = Learner.step

    def reading(learner: Learner, batch: Batch) -> None:
        step(learner, batch)
        learner.sums[-1].item()  # waits for the device: no capture can hold it

    Learner.step = reading  # type: ignore[method-assign]
    common = ONE | {"precision": "fp32", "teachers_dir": str(teachers)}
    (failed,) = study.train_students(tiny(folder, **common))
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    Learner.step = step  # type: ignore[method-assign]
    (later,) = study.train_students(tiny(folder, **common | {"methods": ["dist"]}))
    (plain,) = study.train_students(tiny(folder / "plain", **common, **PLAIN))
    (why,) = steps(failed)
    assert why.startswith("plain, since a capture failed: ") and "previous error" not in why, (
        why
    )  # the error that came first
    assert steps(later) == [why] and later.finished
    np.testing.assert_allclose(failed.history["loss"], plain.history["loss"], rtol=1e-3)


def test_after_a_capture_that_failed_this_and_the_next_group_go_by_plain_steps(
    tmp_path: Path, tiny_folder: Path
) -> None:
    alone(_fail_to_capture, tmp_path, tiny_folder)


def _run_out_of_memory(folder: Path, teachers: Path) -> None:
    room, begin = 2**31, Learner.__init__

    def greedy(learner: Learner, *given: object) -> None:
        begin(learner, *given)  # type: ignore[arg-type]
        learner.much = torch.empty(4 * room // 10, dtype=torch.uint8, device=CUDA)  # type: ignore[attr-defined]

    Learner.__init__ = greedy  # type: ignore[method-assign]
    torch.cuda.set_per_process_memory_fraction(room / torch.cuda.get_device_properties(CUDA).total_memory)
    given = COMMON | {"precision": "fp32", "teachers_dir": str(teachers), "methods": ["normal", "kd"]}
    runs = study.train_students(tiny(folder, **given))
    assert [len(session["group"]) for run in runs for session in run.provenance["sessions"]] == [2, 2, 1]
    assert all(steps(run) == [GRAPHS] for run in runs)


def test_three_students_of_whom_two_fit_go_on_by_two_and_one(tmp_path: Path, tiny_folder: Path) -> None:
    """Memory runs out for real, and what the first attempt took is free again."""
    alone(_run_out_of_memory, tmp_path, tiny_folder)
