"""Attention transfer (Zagoruyko and Komodakis, ICLR 2017): see :mod:`kdnb.losses.attention`."""

from dataclasses import dataclass

from torch import Tensor

from kdnb import losses
from kdnb.methods.base import Method, Step


@dataclass(frozen=True)
class Attention(Method):
    """CE + weight * attention of the three stages."""

    weight: float = 1000.0
    name = "at"
    label = "AT"
    term_names = ("ce", "at")
    needs = frozenset({"maps"})

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``ce`` and ``at``."""
        distance = losses.attention(step.student.maps[1:], step.taught.maps[1:])
        return {"ce": losses.cross_entropy(step.student.logits, step.labels), "at": self.weight * distance}
