"""SimKD (Chen et al., CVPR 2022): the student answers with the teacher's classifier. See :mod:`kdnb.losses.simkd`."""

import copy
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from kdnb import losses
from kdnb.checks import number
from kdnb.methods.base import Method, Setting, Step
from kdnb.methods.layers import convolved
from kdnb.models import Network, Output, ResNet, answer, maps_of


@dataclass(frozen=True)
class SimKD(Method):
    """weight * squared difference of projected and teacher's maps, no labels; ``factor``: narrows the projector.

    The classifier is the teacher's from the start, so there is no mu to speak of.
    """

    factor: float = 2
    weight: float = 1.0
    name = "simkd"
    label = "SimKD"
    term_names: ClassVar[tuple[str, ...]] = ("simkd",)
    needs = frozenset({"maps"})
    mu_is_defined = False

    def __post_init__(self) -> None:
        super().__post_init__()
        number("factor", self.factor, "a number from 1 up", 1, float("inf"))

    def begin(self, network: Network, setting: Setting) -> nn.Module:
        """The projector; the student takes over the teacher's classifier, and never trains it."""
        self.check_maps(setting, setting.teacher_network.classifier)
        taught = setting.teacher
        pooled = answer(taught.maps, setting.teacher_network.classifier).logits
        if not torch.allclose(pooled, taught.logits, rtol=1e-3, atol=1e-4):
            raise ValueError(
                f"method {self.name!r} puts the teacher's classifier on maps averaged over space, and this teacher's "
                "features are no such averages. Take another method, or a teacher that ends in global average pooling."
            )
        student, teacher = network.classifier.in_features, setting.teacher_network.classifier.in_features
        if not isinstance(network, ResNet) and student != teacher:
            raise ValueError(
                f"method {self.name!r} gives the student the teacher's classifier, and a network of one's own asks it "
                f"in passing: {student} features do not fit {teacher}. Take a pair of equal widths."
            )
        # A copy, not its values alone: the teacher's may have more or fewer features.
        network.classifier = copy.deepcopy(setting.teacher_network.classifier).requires_grad_(False)
        return self.projector(setting)

    def check_maps(self, setting: Setting, classifier: nn.Linear) -> None:
        """ValueError unless both last maps are of one size, and ``classifier`` takes the teacher's channels."""
        mine, theirs = (tuple(output.maps[-1].shape[1:]) for output in (setting.student, setting.teacher))
        if theirs[0] != classifier.in_features:
            raise ValueError(
                f"method {self.name!r} puts a classifier of {classifier.in_features} features on the teacher's last "
                f"maps averaged over space, and they have {theirs[0]} channels. Take another method, or a teacher that "
                "ends in global average pooling."
            )
        if mine[1:] != theirs[1:]:
            raise ValueError(
                f"method {self.name!r} compares the last maps place by place: the student's are {mine[1]} x {mine[2]}, "
                f"the teacher's {theirs[1]} x {theirs[2]}. Take a pair whose last maps are of one size."
            )

    def projector(self, setting: Setting) -> nn.Module:
        """From the student's maps to the teacher's: three convolutions, of 1 x 1, 3 x 3 and 1 x 1."""
        student, teacher = setting.student.maps[-1].shape[1], setting.teacher.maps[-1].shape[1]
        middle = max(1, int(teacher / self.factor))
        return nn.Sequential(convolved(student, middle), convolved(middle, middle, 3), convolved(middle, teacher))

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``simkd``."""
        return {"simkd": self.weight * losses.simkd(step.student.maps[-1], step.taught.maps[-1])}

    def predict(self, network: Network, images: Tensor, parts: nn.Module) -> Output:
        """The classifier's answer on projected maps."""
        *earlier, last = maps_of(network, images)
        return answer((*earlier, parts(last)), network.classifier)
