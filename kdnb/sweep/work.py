"""How much work and disk a run is, counted from its network and its images: nothing is trained, nothing downloaded."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from kdnb import models, profiles
from kdnb.methods.base import Method, Setting
from kdnb.parameters import StudyParameters
from kdnb.train import study

FORWARD, TRAINING = 2, 6  # operations a multiply-add: gradients take twice the arithmetic of the forward pass
# A history's column: its share of parquet's header, then a number an epoch. Of tensors' files: name and shape of each.
COLUMN_BYTES, VALUE_BYTES, TENSOR_BYTES = 620, 9, 90
COLUMNS, COLUMNS_OF_TEACHERS = 66, 16
NOTES = 4000  # spec.json and provenance.json


class Images(NamedTuple):
    """A data set's size: images of both splits, their side and channels, classes, views of a training image."""

    train: int
    test: int
    side: int
    channels: int
    classes: int
    views: int


# What need not be downloaded to be counted.
PUBLIC = {"cifar10": Images(50_000, 10_000, 32, 3, 10, 162), "cifar100": Images(50_000, 10_000, 32, 3, 100, 162)}


def images(parameters: StudyParameters) -> Images:
    """Of the data set of a study; of one's own pictures by reading them."""
    name = parameters.dataset or profiles.get(parameters.profile).dataset
    if name in PUBLIC:
        all_of, most = PUBLIC[name], parameters.limit or 10**9
        return all_of._replace(train=min(most, all_of.train), test=min(most, all_of.test))
    found = study.dataset(parameters)
    views = (2 * found.padding + 1) ** 2 * (1 + found.flip)
    return Images(
        len(found.train.labels), len(found.test.labels), found.image_size, found.in_channels, found.num_classes, views
    )


def size(network: nn.Module, channels: int, side: int) -> tuple[int, int]:
    """Multiply-adds of a forward pass and numbers in all outputs, of convolutions and linear layers, for one image."""
    sizes: list[tuple[int, int]] = []

    def count(layer: nn.Module, _: object, output: Tensor) -> None:
        weight = layer.weight
        assert isinstance(weight, Tensor)
        sizes.append((weight[0].numel() * output.numel(), output.numel()))

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        network.eval()(torch.zeros(1, channels, side, side))
    for hook in hooks:
        hook.remove()
    macs, outputs = (sum(column) for column in zip(*sizes, strict=True))
    return macs, outputs


def network(name: str, of: Images) -> models.Network:
    """The network ``name`` for these images, untrained."""
    return models.create(name, of.classes, of.channels, of.side)


def multiply_adds(name: str, of: Images) -> int:
    """Of a forward pass of the network ``name`` for one image."""
    return size(network(name, of), of.channels, of.side)[0]


def run_bytes(student: nn.Module, of: Images, epochs: int, clean: int, columns: int) -> int:
    """What a finished run keeps, the matched snapshot included; ``student``: all that model.safetensors holds."""
    state = student.state_dict()
    model = sum(TENSOR_BYTES + tensor.numel() * tensor.element_size() for tensor in state.values())
    weight = next(tensor for name, tensor in state.items() if name.endswith("classifier.weight"))
    classes, width = weight.shape
    trace = epochs * classes * (width + 1) * 4
    snapshot = (of.test + min(clean, of.train)) * (width + classes + 1) * 2
    history = columns * (COLUMN_BYTES + VALUE_BYTES * epochs)
    return int(model + trace + 2 * snapshot + history + NOTES)


def unfinished_bytes(student: nn.Module) -> int:
    """What an unfinished run keeps beside: weights and their momenta (the account's are small)."""
    return sum(2 * tensor.numel() * tensor.element_size() for tensor in student.state_dict().values())


def table_bytes(of: Images, width: int) -> int:
    """A teacher table in half precision; ``width``: of the features in it, 0 for none."""
    return 2 * of.train * of.views * (of.classes + width)


def student(pair: tuple[str, str], method: Method, of: Images, batch: int) -> nn.Module:
    """A student before its first step, with what its method keeps beside the network; ``pair``: student, teacher."""
    own, taught = network(pair[0], of), network(pair[1], of)
    whole, image = nn.Module(), torch.zeros(1, of.channels, of.side, of.side)
    if method.needs:
        with torch.no_grad():
            outputs = own.eval()(image), taught.eval()(image)
        labels = torch.arange(of.train) % of.classes
        whole.parts = method.begin(own, Setting(*outputs, taught, labels, batch, taught))
    whole.network = own
    return whole


def columns(method: type[Method]) -> int:
    """How many columns a history has: fewer without a classifier to compare, as many more as there are loss terms."""
    return COLUMNS if method.mu_is_defined else COLUMNS // 2
