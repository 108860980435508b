"""SRRL (Yang et al., ICLR 2021): the teacher's classifier judges the student. See :mod:`kdnb.losses.srrl`."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdnb import losses
from kdnb.methods.base import Method, Setting, Step
from kdnb.methods.layers import convolved
from kdnb.models import Network


class Connector(nn.Module):
    """The student's maps in the teacher's width, and the teacher's classifier, which is never trained."""

    weight: Tensor
    bias: Tensor

    def __init__(self, student: int, classifier: nn.Linear) -> None:
        super().__init__()
        self.connect = convolved(student, classifier.in_features)
        kernel = next(self.connect.parameters())
        nn.init.kaiming_normal_(kernel, mode="fan_out")  # N(0, 2 / width), as the authors begin
        self.register_buffer("weight", classifier.weight.detach().clone())
        self.register_buffer("bias", classifier.bias.detach().clone())

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Connected features B x D, and what the teacher's classifier says of them."""
        features = self.connect(maps).mean((2, 3)).float()
        with torch.autocast(maps.device.type, enabled=False):  # a classifier is never rounded
            return features, F.linear(features, self.weight, self.bias)


@dataclass(frozen=True)
class SRRL(Method):
    """CE + weight * (features + regression); the student answers with a classifier of its own."""

    weight: float = 1.0
    name = "srrl"
    label = "SRRL"
    term_names = ("ce", "features", "regression")
    needs = frozenset({"features", "logits"})

    def begin(self, network: Network, setting: Setting) -> nn.Module:
        """The connector."""
        return Connector(setting.student.maps[-1].shape[1], setting.teacher_network.classifier)

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``ce``, ``features`` and ``regression``."""
        features, logits = step.parts(step.student.maps[-1])
        return {
            "ce": losses.cross_entropy(step.student.logits, step.labels),
            "features": self.weight * losses.squared_difference(features, step.taught.features),
            "regression": self.weight * losses.squared_difference(logits, step.taught.logits),
        }
