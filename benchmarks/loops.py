"""What is timed: the usual loop, ours in any setting, the teacher table, evaluation; all on images alike.

Each is built in a process of its own (:mod:`benchmarks.contender`) and then runs blocks: ``run(amount)`` returns how
many images it has worked through, ``loss()`` the mean training loss of the last block.
"""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from benchmarks import usual_loop
from kdnb import data, models
from kdnb import device as devices
from kdnb.data import Dataset, Split
from kdnb.measure.outputs import collect
from kdnb.parameters import StudentParameters
from kdnb.runs import Run, RunSpec, randomness
from kdnb.train import cuda_graphs, study, teacher_table
from kdnb.train.budget import Budget
from kdnb.train.lockstep import Group, Shared
from kdnb.train.teacher import Teacher, from_state
from kdnb.train.teacher_table import TeacherTable

TEACHER, STUDENT = "resnet32x4", "resnet8x4"
IMAGES, BATCH = 50_000, 64
TEMPERATURES = tuple(range(1, 11))  # of the paper's sweep: a student each
RUNS = 1 + len(TEMPERATURES)  # and one trained normally
MEASURED = 8  # test and clean images: the tracker has a benchmark of its own


class Place(NamedTuple):
    """Where everything runs: a device's name, the folder of CIFAR-100 (None: noise), worker processes of the loader."""

    device: str
    data_dir: Path | None
    workers: int


class Setting(NamedTuple):
    """One setting of our loop.

    ``what``: kd (one student at T = 4), sweep (the paper's 11 runs) or teacher. ``teacher_outputs``: live, table, or
    stand-in, which is a table of random logits: the real one of all images would take longer than all that is timed.
    """

    precision: str
    what: str = "kd"
    teacher_outputs: str = "stand-in"
    cuda_graph: bool = True
    streams: int = 1
    images: int = IMAGES


class Loop(Protocol):
    """What a contender can do."""

    def run(self, amount: int) -> int:
        """Do a block of ``amount`` steps, or images; return the number of images worked through."""
        ...

    def loss(self) -> float:
        """Mean loss of the last block; nan where nothing is trained."""
        ...


def network(name: str) -> models.Network:
    """The same random network for every contender."""
    torch.manual_seed(0)
    return models.create(name, 100)


def dataset(place: Place, count: int = IMAGES) -> Dataset:
    """The images of the usual loop as our loop holds them; few test images, for testing is not what is timed."""
    if place.data_dir is not None:
        whole = data.load("cifar100", place.data_dir, download=False)
        train = Split(whole.train.images[:count], whole.train.labels[:count])
        return replace(whole, train=train, test=Split(whole.test.images[:MEASURED], whole.test.labels[:MEASURED]))
    noise = usual_loop.pictures(None, count)
    split = Split(torch.from_numpy(noise.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(noise.targets))
    few = Split(split.images[:MEASURED], split.labels[:MEASURED])
    names = tuple(map(str, range(100)))
    return Dataset("noise", split, few, names, usual_loop.MEAN, usual_loop.STD, 4, True, f"noise-{count}")


def frozen(images: Dataset, seed: int) -> Teacher:
    """A random teacher; 0 for the students' own, any other for their bystander."""
    torch.manual_seed(seed)
    return from_state(TEACHER, models.create(TEACHER, 100).state_dict(), images, "random weights")


def specs(setting: Setting, images: Dataset, teacher: Teacher, bystander: Teacher) -> list[RunSpec]:
    """What the setting's runs are: the profile's own, but for the images measured after an epoch."""
    common: dict[str, Any] = {"profile": "cifar100", "precision": setting.precision, "batch_size": BATCH}
    if setting.what == "teacher":
        wanted = [study.make_spec(StudentParameters(**common), images, "teacher", TEACHER, "normal", {})]
    else:
        sweep = {"methods": ["normal", "kd"], "temperatures": TEMPERATURES}
        one = {"methods": ["kd"], "temperatures": [4]}
        parameters = StudentParameters(**common, **(sweep if setting.what == "sweep" else one))
        known = (teacher.identity, bystander.identity)
        wanted = [
            study.make_spec(parameters, images, "student", STUDENT, name, given, *known)
            for name, given in study.method_grid(parameters)
        ]
    outputs = "table" if setting.teacher_outputs == "table" else "live"
    return [replace(spec, clean_images=MEASURED, teacher_outputs=outputs) for spec in wanted]


def stand_in(images: Dataset, views: int, device: torch.device) -> TeacherTable:
    """A table of random logits; those of one image serve all."""
    torch.manual_seed(0)
    logits = torch.randn(1, views, images.num_classes).half().to(device)
    everywhere = logits.expand(len(images.train.labels), -1, -1)
    return TeacherTable(everywhere, everywhere[..., :0])


class Usual:
    """The field's loop, its loader included."""

    def __init__(self, place: Place) -> None:
        device = devices.choose(place.device)
        self.loop = usual_loop.UsualLoop(network(TEACHER), network(STUDENT), device)
        pictures = usual_loop.pictures(place.data_dir, IMAGES)
        self.batches = usual_loop.batches(pictures, BATCH, place.workers, device)

    def run(self, amount: int) -> int:
        """``amount`` steps."""
        self.loop.losses = usual_loop.Meter()
        for images, labels in itertools.islice(self.batches, amount):
            self.loop.step(images, labels)
        return amount * BATCH

    def loss(self) -> float:
        """Of the last block."""
        return self.loop.losses.mean


class Ours:
    """Our loop in one setting: a lockstep group, as training makes it."""

    def __init__(self, place: Place, setting: Setting) -> None:
        device, images = devices.choose(place.device), dataset(place, setting.images)
        devices.configure(device, setting.precision)
        self.folder = tempfile.TemporaryDirectory()
        teacher, bystander = frozen(images, 0), frozen(images, 1)
        wanted = specs(setting, images, teacher, bystander)
        known: list[Teacher | None] = [None, None] if setting.what == "teacher" else [teacher, bystander]
        shared = Shared(wanted, Path(self.folder.name), images, device, known[0], known[1], Budget())
        if setting.teacher_outputs == "stand-in":
            shared.table = stand_in(images, shared.train_views.count, device)
        runs = [Run.open(Path(self.folder.name), spec) for spec in wanted]
        steps = cuda_graphs.steps(shared.batch, device, setting.cuda_graph, setting.streams)
        self.group, self.plan = Group(shared, runs, steps), self._plan(shared, wanted[0])

    @staticmethod
    def _plan(shared: Shared, spec: RunSpec) -> Iterator[tuple[Tensor, Tensor]]:
        """Full batches of indices and views, epoch after epoch."""
        images, views = len(shared.train_views.labels), shared.train_views.count
        full = images - images % BATCH
        for epoch in itertools.count(1):
            order, chosen = (t[:full].to(shared.device) for t in randomness.epoch_plan(spec, images, views, epoch))
            yield from zip(order.split(BATCH), chosen.split(BATCH), strict=True)

    def run(self, amount: int) -> int:
        """``amount`` steps of every run; RuntimeError where plain ones would stand in for captured ones."""
        for learner in self.group.learners:
            learner.begin_epoch()
        for indices, views in itertools.islice(self.plan, amount):
            self.group.steps(indices, views, self.group.learners)
        if failure := cuda_graphs.GraphSteps.failure:
            raise RuntimeError(f"a capture failed: {failure}")
        return amount * BATCH * len(self.group.learners)

    def loss(self) -> float:
        """Of the last block, mean over the runs."""
        sums = torch.stack([torch.cat([one.sums[:-2].sum()[None], one.sums[-1:]]) for one in self.group.learners])
        return float((sums[:, 0] / sums[:, 1]).mean())


class TableBuild:
    """The teacher table, written to disk as training does it, for a few images."""

    def __init__(self, place: Place, precision: str) -> None:
        self.precision, self.device, self.images = precision, devices.choose(place.device), dataset(place)
        self.teacher = frozen(self.images, 0)

    def run(self, amount: int) -> int:
        """The table of ``amount`` images; returns the number of forward passes."""
        train = self.images.train
        few = replace(self.images, train=Split(train.images[:amount], train.labels[:amount]))
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            made = teacher_table.prepare(Path(folder), self.teacher, few, self.device, self.precision)
        return made.logits.shape[0] * made.logits.shape[1]

    def loss(self) -> float:
        """Nothing is trained."""
        return float("nan")


class Evaluation:
    """The student's outputs on unaugmented images, as after every epoch."""

    def __init__(self, place: Place, precision: str) -> None:
        images, device = dataset(place), devices.choose(place.device)
        devices.configure(device, precision)
        self.views = data.Views(images.train, images, device)
        student = network(STUDENT).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.student: models.ResNet = student

    def run(self, amount: int) -> int:
        """``amount`` images."""
        collect(self.student, self.views, torch.arange(amount, device=self.views.labels.device))
        return amount

    def loss(self) -> float:
        """Nothing is trained."""
        return float("nan")
