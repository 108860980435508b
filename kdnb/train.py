"""The loop: a lockstep group of networks trained on the same batches and views.

Nothing in a group depends on who else is in it: alone or together a run gives the same numbers, and runs of one group
differ in nothing but what their specs say (a paired comparison). Batches and views come from seeds and the epoch's
number alone, so a resumed run needs no generator's state.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kdnb import device as devices
from kdnb import models, progress, provenance
from kdnb.align import classifier_distance
from kdnb.capture import Batch, GraphSteps, PlainSteps
from kdnb.data import Dataset, Views
from kdnb.evaluate import Outputs, collect
from kdnb.learner import Learner
from kdnb.runs import Run, RunSpec
from kdnb.teacher import Teacher
from kdnb.track import Reference

# What the runs of a lockstep group have in common.
SHARED = [
    "dataset",
    "data_checksum",
    "order_seed",
    "view_seed",
    "batch_size",
    "epochs",
    "precision",
    "teacher",
    "bystander",
    "clean_images",
    "teacher_outputs",
]


def generator(spec: RunSpec, use: str, seed: int, epoch: int = 0) -> torch.Generator:
    """An independent generator for each role, use and epoch: a student never repeats its teacher's draws."""
    entropy = [seed, ["teacher", "student"].index(spec.role), ["init", "order", "views"].index(use), epoch]
    return torch.Generator().manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))


def initial_network(spec: RunSpec, dataset: Dataset) -> models.ResNet:
    """The network of ``spec`` before training; every run with this role, ``init_seed`` and model starts from it."""
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(generator(spec, "init", spec.init_seed).get_state())
        return models.create(spec.model, dataset.num_classes, dataset.in_channels)


def epoch_plan(spec: RunSpec, images: int, views: int, epoch: int) -> tuple[Tensor, Tensor]:
    """Order of the images and the view of each, for one epoch: two int64 vectors of length ``images``."""
    order = torch.randperm(images, generator=generator(spec, "order", spec.order_seed, epoch))
    return order, torch.randint(views, (images,), generator=generator(spec, "views", spec.view_seed, epoch))


def clean_indices(spec: RunSpec, images: int) -> Tensor:
    """The fixed training images on which clean accuracy and neural collapse are measured."""
    return torch.randperm(images, generator=torch.Generator().manual_seed(0))[: spec.clean_images]


class Group:
    """A lockstep group: the learners, the data on the device, and the live teacher they share."""

    def __init__(
        self,
        runs: Sequence[Run],
        dataset: Dataset,
        device: torch.device,
        teacher: Teacher | None,
        bystander: Teacher | None,
        cuda_graph: bool,
    ) -> None:
        spec = runs[0].spec
        self.train_views, self.test_views = Views(dataset.train, dataset, device), Views(dataset.test, dataset, device)
        self.clean = clean_indices(spec, len(dataset.train.labels)).to(device)
        self.everything = torch.arange(len(dataset.test.labels), device=device)
        self.device, self.precision = device, spec.precision
        self.teacher = teacher.on(device) if teacher else None
        references = [self._reference(network) for network in (teacher, bystander) if network]
        self.learners = [Learner(run, initial_network(run.spec, dataset), device, references) for run in runs]
        steps = GraphSteps if device.type == "cuda" and cuda_graph else PlainSteps
        self.steps = steps(self._prepare)

    def _reference(self, teacher: Teacher) -> Reference:
        return teacher.on(self.device).reference(self.test_views, self.train_views, self.clean)

    @torch.no_grad()
    def _prepare(self, indices: Tensor, views: Tensor) -> Batch:
        """Images, labels and the teacher's outputs of one batch."""
        images = self.train_views(indices, views)
        if self.teacher is None:
            return images, self.train_views.labels[indices], None
        with devices.autocast(self.device, self.precision):
            output = self.teacher.network(images)
        return images, self.train_views.labels[indices], output

    def train_epoch(self, epoch: int, pool: ThreadPoolExecutor) -> None:
        """Train the learners whose next epoch this is, then measure and store each; solvers run in the pool."""
        active = [learner for learner in self.learners if learner.epoch == epoch - 1]
        spec = active[0].spec
        order, views = epoch_plan(spec, len(self.train_views.labels), self.train_views.count, epoch)
        for learner in active:
            learner.begin_epoch()
        batches = zip(
            order.to(self.device).split(spec.batch_size), views.to(self.device).split(spec.batch_size), strict=True
        )
        for indices, chosen in batches:
            self.steps(indices, chosen, active)
        pending = [
            pool.submit(learner.end_epoch, learner.trained_row(), *self._measured(learner)) for learner in active
        ]
        for future in pending:
            future.result()

    def finish_interrupted(self) -> None:
        """Store the results of runs that were stopped between their last checkpoint and their end."""
        for learner in self.learners:
            if learner.epoch == learner.spec.epochs:
                learner.finish(*self._measured(learner))

    def _measured(self, learner: Learner) -> tuple[Outputs, Outputs]:
        test = collect(learner.network, self.test_views, self.everything)
        return test, collect(learner.network, self.train_views, self.clean)


def train(
    specs: Sequence[RunSpec],
    folder: os.PathLike[str] | str,
    dataset: Dataset,
    device: torch.device,
    *,
    teacher: Teacher | None = None,
    bystander: Teacher | None = None,
    cuda_graph: bool = True,
) -> list[Run]:
    """Train what is not trained yet of ``specs``, in lockstep, under ``folder``; return the finished runs.

    Interrupt it anywhere: the same call goes on from the last finished epoch of each run. Raises ValueError, before
    any work, for specs that cannot share batches, a folder that holds another spec, or unequal feature widths.
    """
    check_shareable(specs)
    check_widths(specs, dataset, teacher, bystander)
    runs = [Run.open(Path(folder), spec) for spec in specs]
    for run in runs:
        if run.finished:
            run.tidy()
    waiting = [run for run in runs if not run.finished]
    if waiting:
        devices.configure(device, specs[0].precision)
        _train(Group(waiting, dataset, device, teacher, bystander, cuda_graph))
    return runs


def _train(group: Group) -> None:
    learners, spec = group.learners, group.learners[0].spec
    start = min(learner.epoch for learner in learners)
    workers = min(len(learners), os.cpu_count() or 1)
    with _recorded(group, start), ThreadPoolExecutor(workers) as pool:
        group.finish_interrupted()
        for epoch in progress.track(range(start + 1, spec.epochs + 1), spec.epochs, start, _title(learners)):
            group.train_epoch(epoch, pool)


def _title(learners: Sequence[Learner]) -> str:
    names = [learner.run.path.name for learner in learners]
    return names[0] if len(names) == 1 else f"{len(names)} runs, {names[0]} to {names[-1]}"


@contextmanager
def _recorded(group: Group, start: int) -> Iterator[None]:
    """Add this session to each run's provenance, at its start and again, with its end, however it ends."""
    session = provenance.describe(group.device) | {"first_epoch": start + 1}
    session["group"] = [learner.run.path.name for learner in group.learners]
    earlier = {learner: learner.run.provenance["sessions"] for learner in group.learners}
    for learner in group.learners:
        learner.run.write_provenance({"sessions": [*earlier[learner], session]})
    try:
        yield
    finally:
        for learner in group.learners:
            ended = session | {"ended": provenance.now(), "last_epoch": learner.epoch}
            learner.run.write_provenance({"sessions": [*earlier[learner], ended]})


def check_shareable(specs: Sequence[RunSpec]) -> None:
    """ValueError naming the field in which the specs of a group differ though they must share it."""
    for field in SHARED:
        values = {str(getattr(spec, field)) for spec in specs}
        if len(values) > 1:
            raise ValueError(
                f"these runs cannot share batches: {field} differs ({', '.join(sorted(values))}). Train them in "
                "separate calls."
            )


def check_widths(
    specs: Sequence[RunSpec], dataset: Dataset, teacher: Teacher | None, bystander: Teacher | None
) -> None:
    """ValueError when a classifier of a student cannot be compared with the teacher's: before any work."""
    for spec in specs:
        weight = models.create(spec.model, dataset.num_classes, dataset.in_channels).classifier.weight
        for other in (teacher, bystander):
            if other is not None:
                classifier_distance(other.network.classifier.weight, weight, "raw")
