"""SemCKD (Chen et al., AAAI 2021): learned pairs of layers. See :mod:`kdnb.losses.semckd`."""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdnb import losses
from kdnb.losses.semckd import similarities
from kdnb.methods.base import Method, Setting, Step
from kdnb.methods.layers import Unit, convolved, widths
from kdnb.models import Network

SHRINK = 4  # embeddings are the batch size divided by this, as in the authors' code


class Calibration(nn.Module):
    """A projector for each pair of stages, and the attention that says which pairs belong together."""

    def __init__(self, student: list[int], teacher: list[int], batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.projectors = nn.ModuleList(
            nn.Sequential(convolved(s, 2 * t), convolved(2 * t, 2 * t, 3), nn.Conv2d(2 * t, t, 1, bias=False))
            for s, t in product(student, teacher)
        )
        self.queries = nn.ModuleList(self._embedding() for _ in student)
        self.keys = nn.ModuleList(self._embedding() for _ in teacher)

    def _embedding(self) -> nn.Module:
        width = max(1, self.batch_size // SHRINK)
        return nn.Sequential(nn.Linear(self.batch_size, 2 * width), nn.ReLU(), nn.Linear(2 * width, width), Unit())

    def attention(self, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...]) -> Tensor:
        """Softmax over the teacher's stages: B x S x S'."""
        with torch.autocast(student[0].device.type, enabled=False):  # similarities overflow half precision
            queries, keys = (
                torch.stack([embed(self._rows(maps)) for embed, maps in zip(embeds, stages, strict=True)], 1)
                for embeds, stages in ((self.queries, student), (self.keys, teacher))
            )
            return (queries @ keys.transpose(1, 2)).softmax(2)

    def _rows(self, maps: Tensor) -> Tensor:
        """Similarities within the batch, B rows; the epoch's last, smaller batch is filled up with zeros."""
        rows = similarities(maps)
        return F.pad(rows, (0, self.batch_size - rows.shape[1]))

    def errors(self, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...]) -> Tensor:
        """Mean squared difference of each pair of stages, the larger maps pooled to the smaller: B x S x S'."""
        each = []
        for project, (s, t) in zip(self.projectors, product(student, teacher), strict=True):
            size = min(s.shape[-1], t.shape[-1])
            pooled = project(F.adaptive_avg_pool2d(s, size)), F.adaptive_avg_pool2d(t, size)
            each.append((pooled[0].float() - pooled[1].float()).square().flatten(1).mean(1))
        return torch.stack(each, 1).view(-1, len(student), len(teacher))


@dataclass(frozen=True)
class SemCKD(Method):
    """CE + KL at ``temperature`` + weight * calibrated, on the maps of the three stages."""

    weight: float = 400.0
    temperature: float = 4.0
    name = "semckd"
    label = "SemCKD"
    term_names = ("ce", "kd", "semckd")
    needs = frozenset({"logits", "maps"})

    def begin(self, network: Network, setting: Setting) -> nn.Module:
        """Projectors and attention."""
        return Calibration(widths(setting.student.maps[1:]), widths(setting.teacher.maps[1:]), setting.batch_size)

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``ce``, ``kd`` and ``semckd``."""
        assert isinstance(step.parts, Calibration)
        maps = step.student.maps[1:], step.taught.maps[1:]
        distance = losses.calibrated(step.parts.attention(*maps), step.parts.errors(*maps))
        return {
            "ce": losses.cross_entropy(step.student.logits, step.labels),
            "kd": losses.kd(step.student.logits, step.taught.logits, self.temperature),
            "semckd": self.weight * distance,
        }
