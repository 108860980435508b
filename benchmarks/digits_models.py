"""Choose the digits profile's networks on a validation split of its training images; the test images stay unseen.

    python benchmarks/digits_models.py

Every fifth training image validates. Each network is trained alone, by the profile's recipe scaled to fewer epochs.
"""

import tempfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from kdnb import data, models
from kdnb.data import Dataset, Split
from kdnb.parameters import TeacherParameters
from kdnb.train import study

NAMES, SEEDS, EPOCHS = ("resnet8", "resnet14", "resnet20", "resnet32"), (0, 1, 2), 60


def validation_split() -> Dataset:
    """The digits with every fifth training image in place of the test set."""
    digits = data.load("digits")
    held_out = torch.arange(len(digits.train.labels)) % 5 == 0
    train, validation = (Split(digits.train.images[mask], digits.train.labels[mask]) for mask in (~held_out, held_out))
    return replace(digits, train=train, test=validation, checksum=f"validation-{digits.checksum}")


def macs(name: str) -> float:
    """Millions of multiply-adds of one forward pass, convolutions and classifier."""
    network, counted = models.create(name, 10, 1), []

    def count(module: torch.nn.Module, _: object, output: torch.Tensor) -> None:
        weight = module.weight
        assert isinstance(weight, torch.Tensor)
        counted.append(weight[0].numel() * output[0].numel())

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(count)
    network(torch.zeros(2, 1, 8, 8))
    return sum(counted) / 1e6


def main() -> None:
    """Print one row a network."""
    split = validation_split()
    print(f"{len(split.train.labels)} training, {len(split.test.labels)} validation images, {EPOCHS} epochs")
    for name in NAMES:
        accuracies = []
        for seed in SEEDS:
            with tempfile.TemporaryDirectory() as folder, patch.object(study, "dataset", lambda _: split):
                parameters = TeacherParameters(output_dir=folder, teacher_model=name, seed=seed, epochs=EPOCHS)
                accuracies.append(100 * study.train_teacher(parameters).history["test_accuracy"].iloc[-1])
        mean, spread = np.mean(accuracies), np.std(accuracies, ddof=1)
        print(f"| {name} | {macs(name):.2f} | {mean:.2f} | {spread:.2f} | {len(SEEDS)} |", flush=True)


if __name__ == "__main__":
    assert Path("pyproject.toml").exists(), "run it from the repository's root"
    main()
