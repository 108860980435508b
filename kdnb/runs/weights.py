"""Weights: as a network, and their checksum, which is what students know a teacher by."""

import hashlib

from torch import Tensor

from kdnb import models
from kdnb.data import Dataset


def checksum(state: dict[str, Tensor]) -> str:
    """sha256 over names and values of a state dict."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode() + state[name].cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def network(model: str, state: dict[str, Tensor], dataset: Dataset, source: str) -> models.Network:
    """The network ``model`` with the weights ``state``, in evaluation mode and never to be trained.

    Raises ValueError naming ``source`` and the first weight that does not fit.
    """
    found = models.create(model, dataset.num_classes, dataset.in_channels, dataset.image_size)
    asked, there = ({name: tuple(one.shape) for name, one in some.items()} for some in (found.state_dict(), state))
    if odd := [name for name in asked | there if asked.get(name) != there.get(name)]:
        first, more = odd[0], f"; {len(odd) - 1} more do not" * (len(odd) > 1)
        raise ValueError(
            f"the weights in {source} do not fit {model}: {first} is {there.get(first, 'missing')} there and "
            f"{asked.get(first, 'unknown')} in the network{more}."
        )
    found.load_state_dict(state)
    return found.eval().requires_grad_(False)
