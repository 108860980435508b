"""A lockstep group: networks trained on the same batches and views.

Nothing in a group depends on who else is in it: alone or together a run gives the same numbers, and runs of one group
differ in nothing but what their specs say (a paired comparison).
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from kdnb import device as devices
from kdnb import methods
from kdnb.data import Dataset, Views
from kdnb.measure.outputs import Outputs, collect
from kdnb.runs import Run, RunSpec
from kdnb.runs.randomness import clean_indices, epoch_plan
from kdnb.surroundings import own_disk
from kdnb.train import student, teacher_table
from kdnb.train.budget import Budget
from kdnb.train.cuda_graphs import Steps
from kdnb.train.learner import Batch, Learner
from kdnb.train.teacher import Teacher


class Shared:
    """What all groups of a call share: the data on the device, the teacher or its table, what mu is measured to.

    ``folder``: where teacher tables are kept, unless it is on a Drive, which uploads all of a file for each chunk.
    """

    def __init__(
        self,
        specs: Sequence[RunSpec],
        folder: Path,
        dataset: Dataset,
        device: torch.device,
        teacher: Teacher | None,
        bystander: Teacher | None,
        budget: Budget,
    ) -> None:
        spec = specs[0]
        self.dataset, self.device, self.precision = dataset, device, spec.precision
        self.train_views, self.test_views = Views(dataset.train, dataset, device), Views(dataset.test, dataset, device)
        self.clean = clean_indices(spec, len(dataset.train.labels)).to(device)
        self.everything = torch.arange(len(dataset.test.labels), device=device)
        compared = [network.on(device) for network in (teacher, bystander) if network]
        self.references = [one.reference(self.test_views, self.train_views, self.clean) for one in compared]
        needed = methods.needed(spec.method for spec in specs)
        self.teacher = teacher.on(device) if teacher and needed else None
        self.bystander = bystander
        self.rounded = [name for name, one in (("teacher", teacher), ("bystander", bystander)) if one and one.rounded]
        self.failed: dict[str, FloatingPointError | methods.Fault] = {}  # runs that cannot go on, by name
        self.table = None
        if self.teacher and spec.teacher_outputs == "table":
            if (own := own_disk(folder)) != folder:
                print(f"the teacher table stays on this machine's own disk, in {own}: another one makes it again")
            self.table = teacher_table.prepare(
                own,
                self.teacher,
                dataset,
                device,
                spec.precision,
                features="features" in needed,
                budget=budget,
                epochs=spec.epochs,
            )

    @torch.no_grad()
    def batch(self, indices: Tensor, views: Tensor) -> Batch:
        """Images, labels and the teacher's outputs; all that a captured graph may hold."""
        images, outputs = self.train_views(indices, views), None
        if self.table is not None:
            outputs = self.table.outputs(indices, views)
        elif self.teacher is not None:
            with devices.autocast(self.device, self.precision):
                outputs = self.teacher.network(images)
        return Batch(images, self.train_views.labels[indices], indices, outputs)

    def measured(self, learner: Learner) -> tuple[Outputs, Outputs]:
        """Outputs on the test set and on the clean training images."""
        test = collect(learner.student, self.test_views, self.everything)
        return test, collect(learner.student, self.train_views, self.clean)


class Group:
    """The learners of a lockstep group, epoch by epoch."""

    def __init__(self, shared: Shared, runs: Sequence[Run], steps: Steps) -> None:
        self.shared, self.steps = shared, steps
        students = [student.create(run.spec, shared.dataset, shared.teacher, shared.bystander) for run in runs]
        self.learners = [
            Learner(run, begun, shared.device, shared.references) for run, begun in zip(runs, students, strict=True)
        ]

    @property
    def title(self) -> str:
        """What is trained, in a line."""
        names = [learner.run.path.name for learner in self.learners]
        return names[0] if len(names) == 1 else f"{len(names)} runs, {names[0]} to {names[-1]}"

    @property
    def epoch(self) -> int:
        """Epochs that every learner has finished."""
        return min(learner.epoch for learner in self.learners)

    def train_epoch(self, epoch: int, pool: ThreadPoolExecutor) -> None:
        """Train the learners whose next epoch this is, then measure and store each; solvers run in the pool.

        One whose loss, weights or outputs are not finite, or whose method raised an error, is left out from here on:
        what the others learn does not depend on it.
        """
        active = [
            one for one in self.learners if one.epoch == epoch - 1 and one.run.path.name not in self.shared.failed
        ]
        if not active:
            return
        spec, images = active[0].spec, self.shared.train_views
        order, views = epoch_plan(spec, len(images.labels), images.count, epoch)
        for learner in active:
            learner.begin_epoch()
        # The epoch's whole plan goes to the device at once: no step waits for a copy.
        device, size = self.shared.device, spec.batch_size
        for indices, chosen in zip(order.to(device).split(size), views.to(device).split(size), strict=True):
            self.steps(indices, chosen, active)
        pending = []
        for learner in active:
            with self._left_out_if_it_fails(learner.run):
                row = learner.trained_row()
                pending.append((learner, pool.submit(learner.end_epoch, row, *self.shared.measured(learner))))
        for learner, future in pending:
            with self._left_out_if_it_fails(learner.run):
                future.result()

    @contextmanager
    def _left_out_if_it_fails(self, run: Run) -> Iterator[None]:
        try:
            yield
        except (FloatingPointError, methods.Fault) as error:
            self.shared.failed[run.path.name] = error
            run.write_failure(error)
            print(f"{error} The others of its group go on.", flush=True)

    def finish_interrupted(self) -> None:
        """Store the results of runs that were stopped between their last checkpoint and their end."""
        for learner in self.learners:
            if learner.epoch == learner.spec.epochs:
                learner.finish(*self.shared.measured(learner))
