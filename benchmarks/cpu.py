"""What makes a CPU faster, and what does not: variants of a training step of the student and of the teacher's forward.

    python -m benchmarks.cpu

Each variant lives in a process of its own; in each round each runs one block while the others wait, and ratios to the
first are taken within a round. Images are noise: only time is measured, and, for folding, how far the logits move.
"""

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmarks.contender import Entry, measure
from benchmarks.loops import BATCH, STUDENT, TEACHER, network
from benchmarks.report import head, row, spread
from kdnb import device as devices
from kdnb import losses, models

ROUNDS, WARM_UP, BLOCK = 7, 1, 2
CPU = torch.device("cpu")


class Variant(NamedTuple):
    """What may differ from what the package does."""

    precision: str = "bf16"
    memory_format: torch.memory_format = torch.channels_last
    batch: int = BATCH
    compiled: bool = False
    folded: bool = False
    inference_mode: bool = False
    flush_denormals: bool = False
    keep_memory: bool = False


class Prepared:
    """Network and batch as the variant wants them."""

    def __init__(self, name: str, variant: Variant, training: bool) -> None:
        if variant.keep_memory:
            devices.keep_freed_memory()
        torch.set_flush_denormal(variant.flush_denormals)
        self.variant = variant
        model: nn.Module = folded(network(name)) if variant.folded else network(name)
        model.to(memory_format=variant.memory_format)
        model.train(training)
        self.parameters = list(model.parameters())
        self.model = torch.compile(model) if variant.compiled else model
        self.images = torch.randn(variant.batch, 3, 32, 32).contiguous(memory_format=variant.memory_format)

    def loss(self) -> float:
        """Not compared."""
        return float("nan")


class StudentStep(Prepared):
    """A step of SGD under KD."""

    def __init__(self, variant: Variant) -> None:
        super().__init__(STUDENT, variant, training=True)
        self.optimizer = torch.optim.SGD(self.parameters, lr=0.05, momentum=0.9, nesterov=True, fused=True)
        self.labels, self.teacher = torch.arange(variant.batch) % 100, torch.randn(variant.batch, 100)

    def run(self, amount: int) -> int:
        """``amount`` steps."""
        for _ in range(amount):
            with devices.autocast(CPU, self.variant.precision):
                logits = self.model(self.images).logits
            loss = losses.cross_entropy(logits, self.labels) + losses.kd(logits, self.teacher, 4.0)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return amount * self.variant.batch


class TeacherForward(Prepared):
    """Forward passes in evaluation mode, as the teacher table needs them."""

    def __init__(self, variant: Variant) -> None:
        super().__init__(TEACHER, variant, training=False)

    def run(self, amount: int) -> int:
        """``amount`` batches of 64, or one larger one, or as many smaller ones as hold the same images."""
        batches = max(1, amount * BATCH // self.variant.batch)
        quiet = torch.inference_mode if self.variant.inference_mode else torch.no_grad
        for _ in range(batches):
            with quiet(), devices.autocast(CPU, self.variant.precision):
                self.model(self.images)
        return batches * self.variant.batch


def folded(network: models.Network) -> models.Network:
    """The frozen network with each batch norm folded into the convolution before it."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        for number in (1, 2):
            if norm := getattr(module, f"bn{number}", None):
                setattr(module, f"conv{number}", fuse_conv_bn_eval(getattr(module, f"conv{number}"), norm))
                setattr(module, f"bn{number}", nn.Identity())
        if isinstance(module, models.Block) and module.downsample is not None:
            module.downsample = nn.Sequential(fuse_conv_bn_eval(*module.downsample))
    return network


@torch.no_grad()
def logit_differences() -> dict[str, float]:
    """Largest difference of a logit from the exact network's, over the spread of its logits: what folding costs."""
    exact, images = network(TEACHER), torch.randn(BATCH, 3, 32, 32)
    for _ in range(3):  # statistics of its own
        exact(images)
    variants = {"as it is": exact.eval(), "folded": folded(exact)}
    true: Tensor = exact(images).logits
    differences = {}
    for name, model in variants.items():
        for precision in ("fp32", "bf16"):
            with devices.autocast(CPU, precision):
                error = (model(images).logits - true).abs().max() / true.std()
            differences[f"{name}, {precision}"] = float(error)
    return differences


STUDENTS = {
    "bf16": Variant(),
    "fp32": Variant("fp32"),
    "bf16, contiguous": Variant(memory_format=torch.contiguous_format),
    "fp32, contiguous": Variant("fp32", torch.contiguous_format),
    "bf16, memory kept": Variant(keep_memory=True),
    "fp32, memory kept": Variant("fp32", keep_memory=True),
    "bf16, denormals flushed": Variant(flush_denormals=True),
    "bf16, compiled": Variant(compiled=True),
}
TEACHERS = {
    "bf16": Variant(),
    "fp32": Variant("fp32"),
    "bf16, contiguous": Variant(memory_format=torch.contiguous_format),
    "bf16, batches of 16": Variant(batch=16),
    "bf16, batches of 256": Variant(batch=256),
    "bf16, batch norms folded": Variant(folded=True),
    "fp32, batch norms folded": Variant("fp32", folded=True),
    "bf16, inference mode": Variant(inference_mode=True),
    "bf16, memory kept": Variant(keep_memory=True),
    "bf16, memory kept, folded": Variant(keep_memory=True, folded=True),
    "bf16, compiled": Variant(compiled=True),
}


def compare(title: str, kind: Callable[[Variant], StudentStep | TeacherForward], tried: Mapping[str, Variant]) -> None:
    """A row a variant."""
    entries = {name: Entry(partial(kind, variant), BLOCK) for name, variant in tried.items()}
    measured = measure(entries, ROUNDS, WARM_UP)
    rates = {name: [block.rate for block in one.blocks] for name, one in measured.items()}
    (base, *_) = rates.values()
    print(head(title, "ms an image", "times the first"))
    for name, here in rates.items():
        ratios = [new / old for new, old in zip(here, base, strict=True)]
        print(row(name, spread([1e3 / rate for rate in here], "{:.2f}"), spread(ratios, "{:.3f}")))
    print(flush=True)


def main() -> None:
    """Print both tables, and what folding costs."""
    print(f"{torch.get_num_threads()} thread(s), torch {torch.__version__}, n = {ROUNDS} rounds, medians (range)\n")
    compare(f"{STUDENT}, training step of {BATCH}", StudentStep, STUDENTS)
    compare(f"{TEACHER}, forward pass", TeacherForward, TEACHERS)
    for name, error in logit_differences().items():
        print(f"- {name}: logits differ by at most {error:.1e} of their spread")


if __name__ == "__main__":
    main()
