"""Training that was stopped, killed or failed: what is kept, what is said, and how it goes on."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Train, same, stopped_after, tiny

from kdnb import losses
from kdnb.runs import Checkpoint, Run
from kdnb.train import study
from kdnb.train.budget import TimeUp

GIVEN = {"limit": 256, "epochs": 12, "temperatures": [4]}


def command(folder: Path) -> list[str]:
    """The one whose parameters are ``tiny(folder, **GIVEN)``."""
    options = "--limit 256 --epochs 12 --methods normal kd --temperatures 4 --teacher-model resnet8 --device cpu"
    return [sys.executable, "-m", "kdnb", "students", *shlex.split(options), "--output-dir", str(folder)]


def epochs_stored(run: Run) -> int:
    checkpoint = run.read_checkpoint()
    return len(checkpoint.history) if checkpoint else 0


def stop_after(folder: Path, epochs: int, how: signal.Signals) -> tuple[int, str]:
    """Start the training and stop it once ``epochs`` are stored; exit status and what it said on standard error."""
    process = subprocess.Popen(
        command(folder),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A test command that runs in the background hands down that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    student = Run(folder / "kd-T4-a0.9-wd0.0005-s0")
    while process.poll() is None and epochs_stored(student) < epochs:
        time.sleep(0.005)
    process.send_signal(how)
    _, said = process.communicate()
    assert epochs_stored(student) >= epochs and not student.finished, "it was stopped too late to test anything"
    return process.returncode, said


def test_killed_and_resumed_by_the_same_command_equals_uninterrupted(tmp_path: Path) -> None:
    stop_after(tmp_path / "killed", 2, signal.SIGKILL)
    subprocess.run(command(tmp_path / "killed"), check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    for whole in study.train_students(tiny(tmp_path / "whole", **GIVEN)):
        same(killed := Run(tmp_path / "killed" / whole.path.name), whole)
    assert len(killed.provenance["sessions"]) == 2


@pytest.fixture
def stopped(train: Train, tmp_path: Path) -> Run:
    """Normal training, stopped after two of three epochs."""
    with stopped_after(2):
        train(methods=["normal"])
    return Run(tmp_path / "normal-wd0.0005-s0")


def test_a_run_that_other_code_began_goes_on_with_the_columns_of_both(
    stopped: Run, train: Train, tiny_runs: list[Run]
) -> None:
    (whole,) = [run for run in tiny_runs if run.label == "normal"]
    old = stopped.read_checkpoint()
    assert old is not None
    begun = [{"old": 1.0} | {name: value for name, value in row.items() if name != "cka"} for row in old.history]
    stopped.write_checkpoint(Checkpoint(old.tensors, begun))
    (run,) = train(methods=["normal"])
    assert run.history["old"].isna().tolist() == [False, False, True]
    assert run.history["cka"].isna().tolist() == [True, True, False]
    common = [name for name in whole.history if name != "cka"]
    pd.testing.assert_frame_equal(run.history[common], whole.history[common], check_exact=True)


def test_a_checkpoint_of_less_state_is_refused_by_name(stopped: Run, train: Train) -> None:
    old = stopped.read_checkpoint()
    assert old is not None
    stopped.write_checkpoint(
        Checkpoint({name: t for name, t in old.tensors.items() if "account" not in name}, old.history)
    )
    said = rf"the checkpoint of {stopped.path} lacks account\S+: another version .* provenance.json\), or move"
    with pytest.raises(ValueError, match=said):
        train(methods=["normal"])


@pytest.mark.parametrize(("lost", "said"), [(["0001"], r"1 of 2 .*\(not of 1\)"), (["0001", "0002"], "0 of 2")])
@pytest.mark.parametrize("empty", [True, False])
def test_a_classifier_that_was_lost_is_told_before_training_goes_on(
    lost: list[str], said: str, empty: bool, stopped: Run, train: Train, tiny_runs: list[Run]
) -> None:
    """A Drive uploads files in its own order: a disconnect may leave some out, or empty."""
    pieces = {stopped.path / "trace" / f"{name}.safetensors": b"" for name in lost}
    for file in pieces:
        pieces[file] = file.read_bytes()
        file.unlink()
        if empty:
            file.touch()
    with pytest.raises(ValueError, match=rf"trace has the classifier of {said}.* or move {stopped.path} away"):
        train(methods=["normal"])
    checkpoint = stopped.read_checkpoint()
    assert checkpoint is not None and len(checkpoint.history) == 2
    for file, content in pieces.items():
        file.write_bytes(content)
    (run,) = train(methods=["normal"])
    same(run, next(one for one in tiny_runs if one.label == "normal"))


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    status, said = stop_after(tmp_path, 1, signal.SIGINT)
    assert status == 130 and "the same command goes on" in said and "Traceback" not in said


def test_finished_runs_are_left_alone(train: Train) -> None:
    (first,) = train(methods=["normal"])
    stamp = (first.path / "history.parquet").stat().st_mtime_ns
    (first.path / "finished").unlink()  # a workflow deletes its markers before it calls again
    (again,) = train(methods=["normal"])
    assert (again.path / "history.parquet").stat().st_mtime_ns == stamp
    assert (again.path / "finished").exists()


def test_a_run_stopped_while_finishing_is_finished(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train(methods=["normal"])
    monkeypatch.undo()
    (run,) = train(methods=["normal"])
    assert run.finished and run.history["epoch"].tolist() == [1, 2, 3]


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(train: Train) -> None:
    said = r"loss_(ce|kd) is (nan|inf) in epoch 1\. No epoch of it is stored; a lower learning_rate may help\."
    with pytest.raises(FloatingPointError, match=said):
        train(methods=["kd"], temperatures=[4], learning_rate=1e30)


def test_the_term_that_failed_first_is_named(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step later every weight, and so every term, is nan. (Step 0 is the one that is tried before.)"""
    divergence, steps = losses.kd, iter(range(1000))
    monkeypatch.setattr(
        losses, "kd", lambda *given, **how: divergence(*given, **how) * (np.nan if next(steps) == 1 else 0)
    )
    with pytest.raises(FloatingPointError, match="loss_kd is nan in epoch 1"):
        train(methods=["kd"], temperatures=[4])


@pytest.mark.parametrize(
    ("weight", "what"),
    [("1e30", ".*(nan|inf|weight is not finite)"), ("1e8", r"its features reach \S+ on test images.*")],
)
def test_a_student_that_fails_does_not_take_its_group_with_it(
    train: Train,
    tiny_runs: list[Run],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    weight: str,
    what: str,
) -> None:
    """The others finish with the numbers they have without it; the same call tries it again, and it alone."""
    asked = {"methods": ["normal", f"pulled:weight={weight}", "kd"], "temperatures": [4]}
    way_out = r"No epoch of it is stored; a lower learning_rate or a smaller weight may help\."
    for sessions in (1, 2):
        with pytest.raises(FloatingPointError, match=rf"pulled-\S+: {what} in epoch 1\. {way_out}"):
            train(**asked)
        assert "The others of its group go on." in capsys.readouterr().out
        (failed,) = [Run(place) for place in tmp_path.glob("pulled-*")]
        assert failed.failure and failed.failure.startswith(f"{failed.path.name}: ") and not failed.finished
        assert len(failed.provenance["sessions"]) == sessions
    whole = {run.path.name: run for run in tiny_runs}
    for name in ("normal-wd0.0005-s0", "kd-T4-a0.9-wd0.0005-s0"):
        same(run := Run(tmp_path / name), whole[name])
        assert run.tidy and run.failure is None and len(run.provenance["sessions"]) == 1


def test_what_stopped_a_run_is_kept_until_it_begins_again(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path / "normal-wd0.0005-s0")
    with monkeypatch.context() as full:
        full.setattr(Run, "write_trace", lambda *_: (_ for _ in ()).throw(OSError("the disk is full\nand more")))
        with pytest.raises(OSError, match="the disk is full"):
            train(methods=["normal"])
    assert run.failure == "the disk is full"
    with pytest.raises(TimeUp):
        train(methods=["normal"], minutes=1e-9)
    assert run.failure is None
    train(methods=["normal"])
    assert run.failure is None and run.tidy


def test_provenance_names_the_last_epoch_that_was_stored(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one whose checkpoint could not be written."""
    write = Run.write_checkpoint

    def full(self: Run, checkpoint: Checkpoint) -> None:
        if len(checkpoint.history) == 2:
            raise OSError("the disk is full")
        write(self, checkpoint)

    monkeypatch.setattr(Run, "write_checkpoint", full)
    with pytest.raises(OSError, match="the disk is full"):
        train(methods=["normal"])
    monkeypatch.undo()
    (run,) = train(methods=["normal"])
    sessions = [(one["first_epoch"], one["last_epoch"]) for one in run.provenance["sessions"]]
    assert sessions == [(1, 1), (2, 3)] and run.history["epoch"].tolist() == [1, 2, 3]


def test_what_a_kill_left_half_written_goes_when_the_run_is_finished(train: Train, tmp_path: Path) -> None:
    run = Run(tmp_path / "normal-wd0.0005-s0")
    rests = [run.path / f".{name}.99999.tmp" for name in ("checkpoint.safetensors", "model.safetensors")]
    for _ in range(2):  # in a run that is trained, and in one that was finished and not marked
        run.path.mkdir(exist_ok=True)
        (run.path / "finished").unlink(missing_ok=True)
        for rest in rests:
            rest.write_bytes(b"half")
        train(methods=["normal"])
        assert run.tidy and not [file.name for file in run.path.iterdir() if file.name.startswith(".")]
