"""Variational information distillation (Ahn et al., CVPR 2019): see :mod:`kdnb.losses.vid`."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdnb import losses
from kdnb.methods.base import Method, Setting, Step
from kdnb.methods.layers import widths
from kdnb.models import Network

LEAST, FIRST = 1e-5, 5.0  # of the variance: what it never falls below, where it starts


class Gaussian(nn.Module):
    """One stage: mean of the teacher's maps from the student's, and a variance a channel."""

    def __init__(self, student: int, teacher: int) -> None:
        super().__init__()
        sizes = [(student, teacher), (teacher, teacher), (teacher, teacher)]
        first, second, third = (nn.Conv2d(a, b, 1, bias=False) for a, b in sizes)
        self.mean = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)
        self.raw = nn.Parameter(torch.full((teacher,), math.log(math.expm1(FIRST - LEAST))))

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        return self.mean(maps), F.softplus(self.raw) + LEAST


@dataclass(frozen=True)
class VID(Method):
    """CE + weight * VID of the three stages."""

    weight: float = 1.0
    name = "vid"
    label = "VID"
    term_names = ("ce", "vid")
    needs = frozenset({"maps"})

    def begin(self, network: Network, setting: Setting) -> nn.Module:
        """A regressor and a variance a stage."""
        pairs = zip(widths(setting.student.maps[1:]), widths(setting.teacher.maps[1:]), strict=True)
        return nn.ModuleList(Gaussian(student, teacher) for student, teacher in pairs)

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``ce`` and ``vid``."""
        assert isinstance(step.parts, nn.ModuleList)
        stages = zip(step.parts, step.student.maps[1:], step.taught.maps[1:], strict=True)
        each = []
        for gaussian, student, teacher in stages:
            mean, variance = gaussian(student)
            each.append(losses.vid(mean, variance, teacher))
        distance = torch.stack(each).sum()
        return {"ce": losses.cross_entropy(step.student.logits, step.labels), "vid": self.weight * distance}
