"""SimKD (Chen et al., CVPR 2022): the student answers with the teacher's classifier. See :mod:`kdnb.losses.simkd`."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdnb import losses
from kdnb.checks import number
from kdnb.methods.base import Method, Setting, Step, check_weight
from kdnb.methods.layers import convolved
from kdnb.models import Output, ResNet


class Reused(nn.Module):
    """The projector from the student's maps to the teacher's, and the teacher's classifier, which is never trained."""

    weight: Tensor
    bias: Tensor

    def __init__(self, student: int, middle: int, classifier: nn.Linear) -> None:
        super().__init__()
        teacher = classifier.in_features
        self.project = nn.Sequential(
            convolved(student, middle), convolved(middle, middle, 3), convolved(middle, teacher)
        )
        self.register_buffer("weight", classifier.weight.detach().clone())
        self.register_buffer("bias", classifier.bias.detach().clone())

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled projected features B x D, and the teacher's classifier's logits on them."""
        features = self.project(maps).mean((2, 3)).float()
        with torch.autocast(maps.device.type, enabled=False):  # a classifier is never rounded
            return features, F.linear(features, self.weight, self.bias)


@dataclass(frozen=True)
class SimKD(Method):
    """weight * squared difference of projected and teacher's maps, no labels; ``factor``: narrows the projector.

    The student's own classifier is neither used nor trained, so mu between the two has no meaning here.
    """

    factor: float = 2
    weight: float = 1.0
    name = "simkd"
    label = "SimKD"
    term_names: ClassVar[tuple[str, ...]] = ("simkd",)
    needs = frozenset({"maps"})
    mu_is_defined = False

    def __post_init__(self) -> None:
        check_weight("weight", self.weight)
        number("factor", self.factor, "a number from 1 up", 1, float("inf"))

    def begin(self, network: ResNet, setting: Setting) -> nn.Module:
        """The projector; the student's own classifier is set aside."""
        network.classifier.requires_grad_(False)
        classifier = setting.teacher_network.classifier
        middle = max(1, int(classifier.in_features / self.factor))
        return Reused(setting.student.maps[-1].shape[1], middle, classifier)

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``simkd``."""
        assert isinstance(step.parts, Reused)
        projected = step.parts.project(step.student.maps[-1])
        return {"simkd": self.weight * losses.simkd(projected, step.taught.maps[-1])}

    def predict(self, output: Output, parts: nn.Module) -> Output:
        """Projected features and the teacher's classifier's logits."""
        features, logits = parts(output.maps[-1])
        return output._replace(features=features, logits=logits)
