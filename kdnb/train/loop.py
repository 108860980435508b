"""Training: which runs still wait, how many go together, and how it can be interrupted, limited and resumed."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from kdnb import device as devices
from kdnb import methods, progress
from kdnb.data import Dataset
from kdnb.measure.align import check_pair
from kdnb.runs import Run, RunSpec, check_names
from kdnb.train import cuda_graphs, locks, provenance
from kdnb.train import student as students
from kdnb.train.budget import Budget, TimeUp
from kdnb.train.lockstep import Group, Shared
from kdnb.train.teacher import Teacher

# What the runs of a lockstep group have in common.
SHARED = (
    *("dataset", "data_checksum", "order_seed", "view_seed", "batch_size", "epochs"),
    *("precision", "teacher", "bystander", "clean_images", "teacher_outputs"),
)


@dataclass(frozen=True)
class Execution:
    """How to compute; nothing here changes what is computed.

    ``cuda_graph``: False for the plain loop. ``streams``: runs of a group that step at the same time on CUDA.
    """

    cuda_graph: bool = True
    streams: int = 1
    budget: Budget = field(default_factory=Budget)


def train(
    specs: Sequence[RunSpec],
    folder: os.PathLike[str] | str,
    dataset: Dataset,
    device: torch.device,
    execution: Execution | None = None,
    *,
    teacher: Teacher | None = None,
    bystander: Teacher | None = None,
) -> list[Run]:
    """Train what is not trained yet of ``specs``, in lockstep, under ``folder``; return the finished runs.

    Interrupt it anywhere: the same call goes on from the last finished epoch of each run, on another machine too. Runs
    that another job is at work on are left to it: this one trains the others, then waits, and finds them finished.
    Raises ValueError, before any work, for unfinished runs that cannot share batches, differing specs of one name, a
    folder that holds another spec, a method that a teacher table cannot serve, or unequal feature widths; TimeUp when
    the budget is used up; MemoryError when not even one run fits; DeviceLost when the device fails; FloatingPointError
    or Fault, once all others are finished, for runs whose losses, weights or outputs are not finite, or whose method
    raised an error. What is finished stays
    stored in each case, and the run's ``failed`` says what stopped it.
    """
    check_shareable([spec for spec in specs if not Run(Path(folder) / spec.name).finished])
    check_names((spec.name, spec.as_json()) for spec in specs)
    for spec in specs:
        check_teacher_outputs([spec.method], spec.teacher_outputs)
    check_students(specs, dataset, teacher, bystander)
    wanted = {spec.name: spec for spec in specs}  # what is named twice is one run
    runs = {name: Run(Path(folder) / name) for name in wanted}
    for name, run in runs.items():
        run.check(wanted[name])
    how, shared, failed = execution or Execution(), None, dict[str, FloatingPointError | methods.Fault]()
    while waiting := [run for name, run in runs.items() if not run.tidy and name not in failed]:
        with locks.ours(waiting, how.budget.left) as mine:
            for run in mine:
                run.begin(wanted[run.path.name])
                if run.finished:  # another job was faster, or was killed before it had cleared up
                    run.clear()
            if not mine:
                raise TimeUp(f"{how.budget.minutes:g} minutes are used up, and another job is still at work.")
            if begun := [run for run in mine if not run.finished]:
                asked = [wanted[run.path.name] for run in waiting if not run.finished]
                devices.configure(device, asked[0].precision)
                with _failures_kept(begun), devices.failures_explained(device):
                    shared = shared or Shared(asked, Path(folder), dataset, device, teacher, bystander, how.budget)
                    failed = shared.failed
                    _train_what_fits(shared, begun, how)
    if failed:
        raise type(next(iter(failed.values())))("\n".join(map(str, failed.values())))
    return list(runs.values())


@contextmanager
def _failures_kept(runs: Sequence[Run]) -> Iterator[None]:
    """Let the unfinished ones of ``runs`` keep what stopped them; time that is up is no failure."""
    try:
        yield
    except TimeUp:
        raise
    except Exception as error:
        for run in runs:
            if not run.finished and run.failure is None:
                run.write_failure(error)
        raise


def _train_what_fits(shared: Shared, waiting: Sequence[Run], execution: Execution) -> None:
    """Train all together; where the device's memory runs out, in groups of half as many from there on.

    Which groups fit is found by trying: memory runs out in the first steps, if at all, so a failure costs seconds, and
    N runs cost at most log2 N of them.
    """
    size = len(waiting)
    while waiting:
        runs = waiting[:size]
        if _fits(shared, runs, execution):
            waiting = waiting[size:]
        elif len(runs) == 1:
            raise MemoryError(
                f"the device's memory does not hold {runs[0].path.name} at batch_size {runs[0].spec.batch_size}; free "
                "memory, take a smaller batch_size, or device='cpu'. Finished epochs are stored."
            )
        else:
            size = (len(runs) + 1) // 2
            print(f"out of memory with {len(runs)} runs: {size} go on from their last finished epoch, then the rest.")


def _fits(shared: Shared, runs: Sequence[Run], execution: Execution) -> bool:
    """Train a group; False when the device's memory ran out, with finished epochs stored and the memory free again."""
    try:
        steps = cuda_graphs.steps(shared.batch, shared.device, execution.cuda_graph, execution.streams)
        _train(Group(shared, runs, steps), execution.budget)
    except RuntimeError as error:
        if not devices.is_out_of_memory(error):
            raise
        # The exception holds the group's tensors: they are free only when it is gone.
    else:
        return True
    if shared.device.type == "cuda":
        torch.cuda.empty_cache()
    return False


def _train(group: Group, budget: Budget) -> None:
    start, epochs = group.epoch, group.learners[0].spec.epochs
    # Measuring solves assignments and SVDs in scipy and numpy, which let other threads run.
    workers = min(len(group.learners), os.cpu_count() or 1)
    with _recorded(group), ThreadPoolExecutor(workers) as pool:
        group.finish_interrupted()
        shown = progress.track(range(start + 1, epochs + 1), epochs, start, group.title)
        for epoch in budget.spend(shown, group.title):
            group.train_epoch(epoch, pool)


@contextmanager
def _recorded(group: Group) -> Iterator[None]:
    """Add this session to each run's provenance, at its start and again, with its end, however it ends."""
    shared = provenance.describe(group.shared.device) | {"group": [one.run.path.name for one in group.learners]}
    shared |= {"rounded_teachers": group.shared.rounded} if group.shared.rounded else {}
    earlier, sessions = {}, {}
    for learner in group.learners:
        own = {"first_epoch": learner.epoch + 1, "method": provenance.method_digest(learner.spec.method)}
        earlier[learner], sessions[learner] = learner.run.provenance["sessions"], shared | own
        learner.run.write_provenance({"sessions": [*earlier[learner], sessions[learner]]})
    try:
        yield
    finally:
        for learner in group.learners:
            end = {"steps": group.steps.how, "ended": provenance.now(), "last_epoch": learner.epoch}
            learner.run.write_provenance({"sessions": [*earlier[learner], sessions[learner] | end]})


def check_shareable(specs: Sequence[RunSpec]) -> None:
    """ValueError naming the field in which the specs of a group differ though they must share it."""
    for name in SHARED:
        values = {str(getattr(spec, name)): spec.name for spec in reversed(specs)}
        if len(values) > 1:
            found = ", ".join(f"{value} of {run}" for value, run in sorted(values.items()))
            anew = f", or all in another output_dir with precision={min(values)!r}" if name == "precision" else ""
            raise ValueError(
                f"these runs cannot share batches: {name} differs ({found}). Train them in separate calls{anew}."
            )


def check_teacher_outputs(names: Sequence[str], teacher_outputs: str | None) -> None:
    """ValueError when one of the methods ``names`` learns from the teacher's maps, which no table holds."""
    for name in names:
        if teacher_outputs == "table" and "maps" in methods.needed([name]):
            raise ValueError(
                f"method {name!r} learns from the teacher's maps, and a teacher table holds logits and features "
                "only; set teacher_outputs='live'."
            )


def check_students(
    specs: Sequence[RunSpec], dataset: Dataset, teacher: Teacher | None, bystander: Teacher | None
) -> None:
    """ValueError when a student cannot begin or end an epoch, or has a classifier that mu cannot compare."""
    for spec in specs:
        student = students.create(spec, dataset, teacher, bystander)
        for other in (teacher, bystander) if student.method.mu_is_defined else ():
            if other is not None:
                check_pair(other.network.classifier.weight, student.network.classifier.weight)
        students.check(student, spec, dataset, teacher)
