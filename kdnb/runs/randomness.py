"""Every random choice of training, from seeds alone: initial weights, order of the images, their views.

Nothing depends on what was drawn before, so a resumed run needs no generator's state.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from kdnb import models
from kdnb.data import Dataset
from kdnb.runs import RunSpec


def generator(spec: RunSpec, use: str, seed: int, epoch: int = 0) -> torch.Generator:
    """An independent generator for each role, use and epoch: a student never repeats its teacher's draws."""
    entropy = [seed, ["teacher", "student"].index(spec.role), ["init", "order", "views", "parts"].index(use), epoch]
    return torch.Generator().manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))


def initial_network(spec: RunSpec, dataset: Dataset) -> models.Network:
    """The network of ``spec`` before training; every run with this role, ``init_seed`` and model starts from it."""
    with seeded(spec, "init", spec.init_seed):
        return models.create(spec.model, dataset.num_classes, dataset.in_channels, dataset.image_size)


@contextmanager
def seeded(spec: RunSpec, use: str, seed: int) -> Iterator[None]:
    """Torch's global random state as :func:`generator` gives it, put back afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(generator(spec, use, seed).get_state())
        yield


def epoch_plan(spec: RunSpec, images: int, views: int, epoch: int) -> tuple[Tensor, Tensor]:
    """Order of the images and the view of each, for one epoch: two int64 vectors of length ``images``."""
    order = torch.randperm(images, generator=generator(spec, "order", spec.order_seed, epoch))
    return order, torch.randint(views, (images,), generator=generator(spec, "views", spec.view_seed, epoch))


def clean_indices(spec: RunSpec, images: int) -> Tensor:
    """The fixed training images on which clean accuracy and neural collapse are measured."""
    return torch.randperm(images, generator=torch.Generator().manual_seed(0))[: spec.clean_images]
