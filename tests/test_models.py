"""The networks: sizes as published, outputs as promised, gradients undisturbed by in-place steps."""

import copy
import math
import re

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdnb import models


def count_macs(model: nn.Module, channels: int, size: int) -> int:
    """Multiply-accumulates of convolutions and linear layers for one image, counted by hooks."""
    total = 0

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += output.numel() * math.prod(module.weight.shape[1:])

    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(hook)
    with torch.no_grad():
        model.eval()(torch.zeros(1, channels, size, size))
    return total


def reference(model: models.ResNet, x: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
    """The same network in training mode from its parameters alone: nothing in place, variances by hand."""
    p = dict(model.named_parameters())

    def norm(y: Tensor, name: str) -> Tensor:
        mean, var = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), unbiased=False, keepdim=True)
        y = (y - mean) / torch.sqrt(var + 1e-5)
        return y * p[name + ".weight"][:, None, None] + p[name + ".bias"][:, None, None]

    x = norm(F.conv2d(x, p["conv1.weight"], padding=1), "bn1").clamp(min=0)
    maps = [x]
    for stage, stride in ((1, 1), (2, 2), (3, 2)):
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in p:
            name, step = f"layer{stage}.{block}", stride if block == 0 else 1
            y = norm(F.conv2d(x, p[name + ".conv1.weight"], stride=step, padding=1), name + ".bn1").clamp(min=0)
            y = norm(F.conv2d(y, p[name + ".conv2.weight"], padding=1), name + ".bn2")
            if name + ".downsample.0.weight" in p:
                x = norm(F.conv2d(x, p[name + ".downsample.0.weight"], stride=step), name + ".downsample.1")
            x, block = (x + y).clamp(min=0), block + 1
        maps.append(x)
    features = x.flatten(2).sum(2) / x[0, 0].numel()
    return maps, features, features @ p["classifier.weight"].T + p["classifier.bias"]


@pytest.mark.parametrize(
    ("name", "parameters", "mega_macs"), [("resnet8x4", 1_233_540, 177.1), ("resnet32x4", 7_433_860, 1083.0)]
)
def test_cifar_sizes_are_the_published_ones(name: str, parameters: int, mega_macs: float) -> None:
    model = models.create(name, 100)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert round(count_macs(model, 3, 32) / 1e6, 1) == mega_macs


def test_digit_networks_share_the_feature_width_and_differ_in_cost() -> None:
    teacher, student = models.create("resnet20", 10, in_channels=1), models.create("resnet8", 10, in_channels=1)
    assert teacher.classifier.in_features == student.classifier.in_features == 64
    # By hand, at 8x8, 4x4 and 2x2 pixels: stem; per stage its 3x3 convolutions; projections; classifier.
    stem, projections, classifier = 64 * 9 * 16, 16 * 16 * 32 + 4 * 32 * 64, 64 * 10
    plain = 64 * 9 * 16 * 16  # one 3x3 convolution between equal widths costs the same in each stage
    student_macs = stem + 2 * plain + 2 * (plain // 2 + plain) + projections + classifier
    assert count_macs(student, 1, 8) == student_macs
    assert count_macs(teacher, 1, 8) == student_macs + 3 * 4 * plain
    assert round(count_macs(student, 1, 8) / 1e6, 1) == 0.8
    assert round(count_macs(teacher, 1, 8) / 1e6, 1) == 2.5


@pytest.mark.parametrize("name", models.names())
def test_depth_counts_the_layers_on_the_main_path(name: str) -> None:
    model = models.create(name, 7)
    layers = [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear) and "downsample" not in n]
    assert len(layers) == int(re.findall(r"\d+", name)[0])
    projections = sum(n.endswith("downsample.0") for n, _ in model.named_modules())
    assert projections == (3 if "x" in name else 2)


def test_maps_have_the_papers_shapes() -> None:
    out = models.create("resnet8x4", 100)(torch.rand(2, 3, 32, 32))
    shapes = [tuple(m.shape) for m in out.maps]
    assert shapes == [(2, 32, 32, 32), (2, 64, 32, 32), (2, 128, 16, 16), (2, 256, 8, 8)]
    assert out.features.shape == (2, 256) and out.logits.shape == (2, 100)


@pytest.mark.parametrize("name", ["resnet14", "resnet14x4"])
def test_output_and_gradients_equal_a_network_written_out_by_hand(name: str) -> None:
    torch.manual_seed(0)
    model = models.create(name, 5, in_channels=1).double()
    x = torch.randn(4, 1, 8, 8, dtype=torch.float64)
    weights = torch.randn(4, 5, dtype=torch.float64)
    parameters = list(model.parameters())
    out, (maps, features, logits) = model(x), reference(model, x)
    for got, wanted in zip([*out.maps, out.features, out.logits], [*maps, features, logits], strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9)
    loss = (out.logits * weights).sum() + out.maps[1].sum()
    wanted_loss = (logits * weights).sum() + maps[1].sum()
    for got, wanted in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(wanted_loss, parameters), strict=True
    ):
        torch.testing.assert_close(got, wanted, rtol=1e-7, atol=1e-9)


def test_the_input_is_not_written_to() -> None:
    x = torch.randn(2, 3, 8, 8)
    kept = x.clone()
    models.create("resnet8", 10)(x)
    assert torch.equal(x, kept)


def test_channels_last_changes_nothing_but_rounding() -> None:
    torch.manual_seed(0)
    model, x = models.create("resnet8", 10).eval(), torch.randn(2, 3, 16, 16)
    other = copy.deepcopy(model).to(memory_format=torch.channels_last)
    torch.testing.assert_close(model(x).logits, other(x.to(memory_format=torch.channels_last)).logits)


def test_the_seed_decides_the_start_and_kaiming_its_size() -> None:
    torch.manual_seed(3)
    first = models.create("resnet8x4", 100).state_dict()
    torch.manual_seed(3)
    second = models.create("resnet8x4", 100).state_dict()
    assert all(torch.equal(first[k], second[k]) for k in first)
    weight = first["layer3.0.conv2.weight"]  # 590 k draws: their spread is known to a part in a thousand
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (256 * 9)), rel=0.01)
    assert first["classifier.weight"].abs().max() <= 1 / 16


def test_refusals_name_the_value_and_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'resnet8x5'.*resnet32x4.*resnet8x4"):
        models.create("resnet8x5", 10)
    with pytest.raises(ValueError, match="num_classes is 1; it must be a whole number of at least 2"):
        models.create("resnet8", 1)
    with pytest.raises(ValueError, match="num_classes is 10.0"):
        models.create("resnet8", 10.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="in_channels is 0"):
        models.create("resnet8", 10, in_channels=0)
