"""``kill -9`` at ten random moments: in a step, in a write, between two files; then the same command goes on."""

import multiprocessing
import os
import random
import signal
import sys
from pathlib import Path
from types import FrameType

import torch
from conftest import Train, same, tiny, with_teachers

from kdnb.runs import Run
from kdnb.train import study

KILLS = 10
EPOCHS = 20
STUDY = {"methods": ["normal", "kd"], "temperatures": [4], "epochs": EPOCHS, "teacher_outputs": "table"}


class Moments:
    """Counts calls, of Python and C, from the first epoch of a call on; kills its process at the last of ``left``."""

    def __init__(self, left: float) -> None:
        self.seen, self.left, self.begun = 0, left, False

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        self.begun = self.begun or frame.f_code.co_name == "finish_interrupted"
        if self.begun and event in ("call", "c_call"):
            self.seen += 1
            if self.seen >= self.left:
                os.kill(os.getpid(), signal.SIGKILL)


def trained(folder: Path, left: float) -> int:
    """Train, counting; how many moments it took."""
    torch.set_num_threads(1)
    moments = Moments(left)
    sys.setprofile(moments)
    study.train_students(tiny(folder, teachers_dir=str(folder), **STUDY))
    sys.setprofile(None)
    return moments.seen


def child(folder: Path, left: float, seen: "multiprocessing.Queue[int]") -> None:
    seen.put(trained(folder, left))


def test_killed_at_ten_random_moments_equals_uninterrupted(train: Train, tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["kdnb.train.study", "conftest", "torch._dynamo", "sklearn.datasets"])
    counted = context.Queue()

    def start(folder: Path, left: float) -> int | None:
        process = context.Process(target=child, args=(folder, left, counted))
        process.start()
        process.join()
        return process.exitcode

    folders = {name: with_teachers(tmp_path / name, tmp_path) for name in ("whole", "killed")}
    assert start(folders["whole"], float("inf")) == 0
    reach, dice = counted.get() / 6, random.Random(0)
    kills = [start(folders["killed"], dice.uniform(0, reach)) for _ in range(KILLS)]
    assert kills == [-signal.SIGKILL] * KILLS, "it was finished before the last kill"
    for run in train(output_dir=str(folders["killed"]), **STUDY):
        same(run, Run(folders["whole"] / run.path.name))
    begun = [session["first_epoch"] for session in run.provenance["sessions"]]
    assert begun == sorted(begun) and len(set(begun)) > KILLS / 2, f"kills came too early to test much: {begun}"
