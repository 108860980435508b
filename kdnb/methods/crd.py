"""Contrastive representation distillation (Tian et al., ICLR 2020): see :mod:`kdnb.losses.crd`."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kdnb import losses
from kdnb.checks import number
from kdnb.losses.crd import scores
from kdnb.methods.base import Method, Setting, Step
from kdnb.methods.layers import Unit
from kdnb.models import Network

WIDTH, TAU, MOMENTUM = 128, 0.07, 0.5  # embeddings, temperature of the scores, how slowly a memory changes


class Memory(nn.Module):
    """One network's embedding, what it last was of every training image, and the scale of scores against it."""

    bank: Tensor
    scale: Tensor

    def __init__(self, features: int, images: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(features, WIDTH), Unit())
        bound = (WIDTH / 3) ** -0.5
        self.register_buffer("bank", torch.empty(images, WIDTH).uniform_(-bound, bound))
        self.register_buffer("scale", torch.zeros(()))

    def normalised(self, positive: Tensor, negative: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        """Scores divided by Z, which the first batch sets."""
        with torch.no_grad():
            mean = (positive.sum() + (negative * allowed).sum()) / (len(positive) + allowed.sum())
            self.scale.copy_(torch.where(self.scale > 0, self.scale, mean * len(self.bank)))
        return positive / self.scale, negative / self.scale

    @torch.no_grad()
    def update(self, indices: Tensor, embedded: Tensor) -> None:
        """Move the memory of these images towards what they are now."""
        moved = MOMENTUM * self.bank[indices] + (1 - MOMENTUM) * embedded
        self.bank.index_copy_(0, indices, nn.functional.normalize(moved))


class Contrast(nn.Module):
    """Both networks' memories, every image's label, and the order in which negatives take their turn."""

    labels: Tensor
    order: Tensor
    turn: Tensor

    def __init__(self, student: int, teacher: int, labels: Tensor, negatives: int) -> None:
        super().__init__()
        self.negatives = min(negatives, len(labels))
        self.student, self.teacher = Memory(student, len(labels)), Memory(teacher, len(labels))
        self.register_buffer("labels", labels.clone())
        self.register_buffer("order", torch.randperm(len(labels)))
        self.register_buffer("turn", torch.zeros((), dtype=torch.int64))

    def next_negatives(self) -> Tensor:
        """Images that take their turn now; all of them do before any does again."""
        places = (self.turn + torch.arange(self.negatives, device=self.turn.device)) % len(self.order)
        self.turn.add_(self.negatives)
        return self.order[places]

    def forward(self, student: Tensor, teacher: Tensor, indices: Tensor) -> Tensor:
        """The loss of features B x D and B x D' of the images ``indices``; afterwards both memories know them."""
        with torch.autocast(student.device.type, enabled=False):  # exponentials of products: not in half precision
            embedded = self.student.embed(student.float()), self.teacher.embed(teacher.float())
            drawn = self.next_negatives()
            allowed = self.labels[indices][:, None] != self.labels[drawn][None]
            each = []
            for anchors, memory in zip(embedded, (self.teacher, self.student), strict=True):  # each against the other
                own, others = memory.bank[indices], memory.bank[drawn]  # copies: it changes before the backward pass
                positive = ((anchors * own).sum(1) / TAU).exp()
                positive, negative = memory.normalised(positive, scores(anchors, others, TAU), allowed)
                each.append(losses.crd(positive, negative, allowed, len(memory.bank)))
        for memory, values in zip((self.student, self.teacher), embedded, strict=True):
            memory.update(indices, values.detach())
        return each[0] + each[1]


@dataclass(frozen=True)
class CRD(Method):
    """CE + weight * contrast of features; ``negatives``: how many images a batch is compared with, at most."""

    weight: float = 0.8
    negatives: float = 16384
    name = "crd"
    label = "CRD"
    term_names = ("ce", "crd")
    needs = frozenset({"features"})

    def __post_init__(self) -> None:
        super().__post_init__()
        number("negatives", self.negatives, "a number of images from 1 up", 1, 1e9)

    def begin(self, network: Network, setting: Setting) -> nn.Module:
        """Embeddings and memories."""
        student, teacher = setting.student.features.shape[1], setting.teacher.features.shape[1]
        return Contrast(student, teacher, setting.labels, int(self.negatives))

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``ce`` and ``crd``."""
        distance = step.parts(step.student.features, step.taught.features, step.indices)
        return {"ce": losses.cross_entropy(step.student.logits, step.labels), "crd": self.weight * distance}
