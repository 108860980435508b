"""The frozen teacher: a finished run, or a checkpoint of one's own."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from kdnb import models
from kdnb.data import Dataset, Views
from kdnb.data.source import balanced_order
from kdnb.measure.history import Reference
from kdnb.measure.outputs import collect
from kdnb.runs import Run, weights
from kdnb.train import own_weights

JUDGED = 500  # test images, evenly of all classes, on which a file's teacher is judged before it teaches


@dataclass(frozen=True)
class Teacher:
    """A network in evaluation mode that is never trained; ``checksum`` (sha256 of its weights) is its identity.

    rounded: whether it was read from a publication, whose matrices are in half precision; provenance tells of it
    """

    name: str
    network: models.Network
    checksum: str
    rounded: bool = False

    @property
    def identity(self) -> dict[str, str]:
        """What a student's spec says of it."""
        return {"model": self.name, "checksum": self.checksum}

    def on(self, device: torch.device) -> "Teacher":
        """The same teacher, its network moved to ``device``."""
        network = self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return replace(self, network=network)

    def reference(self, test: Views, clean: Views, clean_indices: Tensor) -> Reference:
        """What the tracker needs of it: the classifier, and outputs on the test and the clean images."""
        head = self.network.classifier
        everything = torch.arange(len(test.labels), device=test.labels.device)
        outputs = collect(self.network, test, everything), collect(self.network, clean, clean_indices)
        return Reference(head.weight.detach().cpu(), head.bias.detach().cpu(), *outputs)


def from_run(run: Run, dataset: Dataset) -> Teacher:
    """The teacher that ``run`` trained; ValueError when it was trained on other data.

    A published one is known by the weights that it was trained to have.
    """
    if run.spec.data_checksum != dataset.checksum:
        raise ValueError(
            f"teacher {run.path} was trained on other data ({run.spec.dataset}, {run.spec.data_checksum[:12]}) than "
            f"asked ({dataset.name}, {dataset.checksum[:12]}): choose another output_dir, or move that folder away."
        )
    network = weights.network(run.spec.model, run.weights(), dataset, str(run.path))
    if run.is_published:
        print(f"{run.path} is a publication: its matrices are rounded to half precision.", flush=True)
    return Teacher(run.spec.model, network, run.weights_checksum, run.is_published)


def from_file(model: str, path: Path, dataset: Dataset) -> Teacher:
    """The teacher in a file of one's own (see :mod:`kdnb.train.own_weights`); says how well it knows the test images.

    Raises ValueError where the file cannot be read or does not fit, FileNotFoundError where there is none.
    """
    found = own_weights.read(path, model, dataset)
    teacher = from_state(model, found.state, dataset, str(path))
    images = torch.from_numpy(balanced_order(dataset.test.labels.numpy())[:JUDGED])
    accuracy = collect(teacher.network, Views(dataset.test, dataset, "cpu"), images).accuracy
    place = f", at {found.place}" if found.place else ""
    left = f" (left: {', '.join(found.left)})" if found.left else ""
    known = f"{model}, {100 * accuracy:.2f} % right of {len(images)} test images of {dataset.name}"
    print(f"teacher_weights {path}{place}{left}: {known}", flush=True)
    chance = 1 / dataset.num_classes
    if accuracy < min(2 * chance, (1 + chance) / 2):  # of two classes, twice chance would be perfection
        print(
            f"warning: a guess is right in {100 * chance:.2f} %. Does the teacher know the classes in this order "
            f"({', '.join(dataset.class_names[:3])}, ...), and images normalised by mean {_rounded(dataset.mean)} and "
            f"standard deviation {_rounded(dataset.std)}?",
            flush=True,
        )
    return teacher


def _rounded(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)


def from_state(model: str, state: dict[str, Tensor], dataset: Dataset, source: str) -> Teacher:
    """The network ``model`` with the weights ``state``; ValueError naming the first that does not fit."""
    network = weights.network(model, state, dataset, source)
    return Teacher(model, network, weights.checksum(network.state_dict()))
