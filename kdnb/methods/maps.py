"""Features matched by squared difference, straight or through SimKD's projector, and a classifier of one's own.

Neither body learns from its classifier: that is trained by cross-entropy on detached features. So one run answers for
every classifier put on these features: its own (``test_accuracy``), the teacher's (``plug_in_accuracy``), the
bystander's (``bystander_plug_in_accuracy``).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kdnb import losses
from kdnb.methods.base import Method, Setting, Step
from kdnb.methods.simkd import SimKD
from kdnb.models import Network


def own_cross_entropy(step: Step) -> Tensor:
    """Cross-entropy of the student's classifier, which trains that classifier and nothing below it."""
    features = step.student.features.detach()
    with torch.autocast(features.device.type, enabled=False):  # the classifier is never rounded
        return losses.cross_entropy(step.network.classifier(features), step.labels)


@dataclass(frozen=True)
class Straight(Method):
    """SimKD without its projector, as its users ask (SimKD's issue 4): weight * squared difference of the last maps."""

    weight: float = 1.0
    name = "straight"
    label = "features by L2"
    term_names = ("ce", "features")
    needs = frozenset({"maps"})

    def begin(self, network: Network, setting: Setting) -> nn.Module:
        """Nothing to add; ValueError for maps of other shapes."""
        student, teacher = (tuple(output.maps[-1].shape[1:]) for output in (setting.student, setting.teacher))
        if student != teacher:
            raise ValueError(
                f"method 'straight' compares the last maps one by one: the student's are {student}, the teacher's "
                f"{teacher} (channels, height, width). Take a pair of equal widths, or 'simkd', whose projector helps."
            )
        return nn.Module()

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``ce``, for the classifier, and ``features``, for all below it."""
        distance = losses.simkd(step.student.maps[-1], step.taught.maps[-1])
        return {"ce": own_cross_entropy(step), "features": self.weight * distance}


@dataclass(frozen=True)
class Projected(SimKD):
    """SimKD, but the projected features are answered by a classifier of the student's own."""

    name = "projected"
    label = "SimKD, own classifier"
    term_names = ("ce", "simkd")
    mu_is_defined = True

    def begin(self, network: Network, setting: Setting) -> nn.Module:
        """The projector alone."""
        self.check_maps(setting, network.classifier)
        return self.projector(setting)

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``ce``, for the classifier, and ``simkd``, for all below it."""
        return {"ce": own_cross_entropy(step)} | super().terms(step)
