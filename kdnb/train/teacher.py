"""The frozen teacher: a finished run, or a checkpoint of one's own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kdnb import models
from kdnb.data import Dataset, Views
from kdnb.files import read_tensors
from kdnb.measure.history import Reference
from kdnb.measure.outputs import collect
from kdnb.runs import Run, weights


@dataclass(frozen=True)
class Teacher:
    """A network in evaluation mode that is never trained; ``checksum`` (sha256 of its weights) is its identity."""

    name: str
    network: models.ResNet
    checksum: str

    @property
    def identity(self) -> dict[str, str]:
        """What a student's spec says of it."""
        return {"model": self.name, "checksum": self.checksum}

    def on(self, device: torch.device) -> "Teacher":
        """The same teacher, its network moved to ``device``."""
        network = self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Teacher(self.name, network, self.checksum)

    def reference(self, test: Views, clean: Views, clean_indices: Tensor) -> Reference:
        """What the tracker needs of it: the classifier, and outputs on the test and the clean images."""
        head = self.network.classifier
        everything = torch.arange(len(test.labels), device=test.labels.device)
        outputs = collect(self.network, test, everything), collect(self.network, clean, clean_indices)
        return Reference(head.weight.detach().cpu(), head.bias.detach().cpu(), *outputs)


def from_run(run: Run, dataset: Dataset) -> Teacher:
    """The teacher that ``run`` trained; ValueError when it was trained on other data."""
    if run.spec.data_checksum != dataset.checksum:
        raise ValueError(
            f"teacher {run.path} was trained on other data ({run.spec.dataset}, {run.spec.data_checksum[:12]}) than "
            f"asked ({dataset.name}, {dataset.checksum[:12]}): choose another output_dir, or move that folder away."
        )
    return from_state(run.spec.model, run.weights(), dataset, str(run.path))


def from_file(model: str, path: Path, dataset: Dataset) -> Teacher:
    """The teacher in a checkpoint of one's own: safetensors, or a state dict that torch saved (read as data only).

    A state dict may lie under "model" or "state_dict", and name the classifier ``fc``.
    """
    if not path.exists():
        raise FileNotFoundError(f"teacher_weights {path} does not exist.")
    if path.suffix == ".safetensors":
        return from_state(model, read_tensors(path, "teacher_weights")[0], dataset, str(path))
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged or an unsafe file
        raise ValueError(f"teacher_weights {path} cannot be read as plain weights: {error}") from error
    for key in ("model", "state_dict"):
        content = content.get(key, content)
    state = {name.replace("fc.", "classifier."): tensor for name, tensor in content.items()}
    return from_state(model, state, dataset, str(path))


def from_state(model: str, state: dict[str, Tensor], dataset: Dataset, source: str) -> Teacher:
    """The network ``model`` with the weights ``state``; ValueError naming the first that does not fit."""
    network = weights.network(model, state, dataset, source)
    return Teacher(model, network, weights.checksum(network.state_dict()))
