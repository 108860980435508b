"""The CIFAR ResNets of the distillation literature (He et al. 2016, section 4.2; the x4 widths of Tian et al. 2020).
The x2 family is half as wide as theirs, for machines that cannot train it: features still outnumber 100 classes.

    model = create("resnet8x4", num_classes=100)
    maps, features, logits = model(images)

A network of depth 6n + 2 is a 3x3 stem and three stages of n basic blocks, the later two at stride 2, then global
average pooling (so that 8x8 digits fit as well as 32x32 photographs) and one linear layer, ``model.classifier``.

==================  ==========  =================  =================================================
names               stem width  stage widths       meant for
==================  ==========  =================  =================================================
resnet8 ... 110     16          16, 32, 64         8x8 digits: teacher resnet20, student resnet8
resnet8d8, 20d16..  16          16, 32, D          8x8 digits with D = 8 or 16 features in place of 64
resnet8x2 ... 32x2  16          32, 64, 128        CIFAR on a CPU: teacher resnet32x2, student resnet8x2
resnet8x4 ... 32x4  32          64, 128, 256       CIFAR: teacher resnet32x4, student resnet8x4
==================  ==========  =================  =================================================

The first block of a stage has a projection shortcut (1x1 convolution, batch norm) wherever its channels change, hence
in all three stages of the x2 and x4 families. Convolutions start Kaiming-normal (fan-out), batch norms at 1 and 0, the
classifier at PyTorch's default. Parameters are named as in the public CIFAR checkpoints of this family, but for
``classifier``, which is ``fc`` there. Networks of one's own: :mod:`kdnb.own_networks`.
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdnb import own_networks
from kdnb.checks import choice

NARROW, HALF, WIDE = (16, 16, 32, 64), (16, 32, 64, 128), (32, 64, 128, 256)  # stem, then the three stages
FAMILY = {f"resnet{depth}": (depth, NARROW) for depth in (8, 14, 20, 32, 44, 56, 110)}
FAMILY |= {f"resnet{depth}x2": (depth, HALF) for depth in (8, 14, 20, 32)}
FAMILY |= {f"resnet{depth}x4": (depth, WIDE) for depth in (8, 14, 32)}
FAMILY |= {f"resnet{depth}d{width}": (depth, (*NARROW[:3], width)) for depth in (8, 20) for width in (8, 16)}


class Output(NamedTuple):
    """What one forward pass returns; everything is differentiable."""

    maps: tuple[Tensor, ...]  # f0 after the stem, f1 to f3 after the stages; B x C x H x W, here after ReLU
    features: Tensor  # B x D, here f3 averaged over space: never negative
    logits: Tensor  # B x K, the classifier applied to the features


class Network(nn.Module):
    """What can teach or learn here: images B x C x S x S (normalised) to :class:`Output`, by its ``classifier``."""

    classifier: nn.Linear


class Block(nn.Module):
    """Basic residual block: two 3x3 convolutions and a shortcut, ReLU after the sum."""

    def __init__(self, in_width: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_width, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: nn.Sequential | None = None
        if in_width != width:
            projection = nn.Conv2d(in_width, width, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        # In place is safe: a batch norm keeps its input for the backward pass, not its output; x is never written to.
        out = F.relu_(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return F.relu_(out)


class ResNet(Network):
    """A CIFAR ResNet; ``create`` makes the named ones.

    Args: depth 6n + 2; widths of the stem and the three stages; number of classes K; channels C of the input.
    """

    def __init__(self, depth: int, widths: tuple[int, int, int, int], num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        blocks = (depth - 2) // 6
        self.layer1 = _stage(widths[0], widths[1], 1, blocks)
        self.layer2 = _stage(widths[1], widths[2], 2, blocks)
        self.layer3 = _stage(widths[2], widths[3], 2, blocks)
        self.classifier = nn.Linear(widths[3], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Output:
        """Images B x C x H x W (normalised) to maps, features and logits."""
        return answer(self.stages(x), self.classifier)

    def stages(self, x: Tensor) -> tuple[Tensor, ...]:
        """The maps f0 to f3 of images B x C x H x W."""
        f0 = F.relu_(self.bn1(self.conv1(x)))
        f1 = self.layer1(f0)
        f2 = self.layer2(f1)
        return f0, f1, f2, self.layer3(f2)


def maps_of(network: Network, x: Tensor) -> tuple[Tensor, ...]:
    """The maps of images; the classifier, which a method may have replaced, is asked in networks of one's own alone."""
    return network.stages(x) if isinstance(network, ResNet) else network(x).maps


def answer(maps: tuple[Tensor, ...], classifier: nn.Linear) -> Output:
    """Features (the last of ``maps``, B x D x H x W, averaged over space) and logits beside the maps."""
    return _answered(maps, maps[-1].mean((2, 3)), classifier)


def _answered(maps: tuple[Tensor, ...], features: Tensor, classifier: nn.Linear) -> Output:
    features = features.to(classifier.weight.dtype)
    with torch.autocast(features.device.type, enabled=False):  # the classifier is what is studied: never rounded
        return Output(maps, features, classifier(features))


def names() -> list[str]:
    """The names that ``create`` knows, small to large."""
    return list(FAMILY)


def identity(name: str) -> str:
    """What a run's identity says of the network ``name``; ValueError for one that there is not."""
    return own_networks.identity(name) if own_networks.is_one(name) else choice("model", name, FAMILY)


def create(name: str, num_classes: int, in_channels: int = 3, image_size: int = 32) -> Network:
    """A freshly initialised network, drawn from torch's global random state, on the CPU and in training mode.

    Raises ValueError for an unknown name, fewer than two classes or no input channel; for a network of one's own that
    is not as :mod:`kdnb.own_networks` asks, which is tried with images of ``image_size`` x ``image_size``.
    """
    _whole("num_classes", num_classes, 2)
    _whole("in_channels", in_channels, 1)
    if own_networks.is_one(name):
        network = own_networks.create(name, num_classes, in_channels, image_size)
        network.register_forward_hook(_as_ours)
        return cast(Network, network)
    depth, widths = FAMILY[choice("model", name, FAMILY)]
    return ResNet(depth, widths, num_classes, in_channels)


def _as_ours(network: nn.Module, _: object, output: tuple[tuple[Tensor, ...], Tensor, Tensor]) -> Output:
    """What a network of one's own returned, its classifier asked again where nothing is rounded."""
    return _answered(tuple(output[0]), output[1], cast(Network, network).classifier)


def _stage(in_width: int, width: int, stride: int, blocks: int) -> nn.Sequential:
    first = Block(in_width, width, stride)
    return nn.Sequential(first, *(Block(width, width, 1) for _ in range(blocks - 1)))


def _whole(name: str, value: object, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {low}.")
