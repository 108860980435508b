"""Methods that look at answers alone: normal training, KD, DIST, squared error on logits."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kdnb import checks, losses
from kdnb.losses.dist import TEMPERATURES
from kdnb.methods.base import Method, Step


@dataclass(frozen=True)
class Normal(Method):
    """Cross-entropy on the labels alone (the paper's "normal training")."""

    name = "normal"
    label = "normal"
    term_names = ("ce",)

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``ce``."""
        return {"ce": losses.cross_entropy(step.student.logits, step.labels)}


@dataclass(frozen=True)
class KD(Method):
    """Vanilla distillation (Hinton et al. 2015): (1 - alpha) CE + alpha T^2 KL.

    ``squared=False`` leaves T^2 out: the other reading of the paper.
    """

    temperature: float = 4.0
    alpha: float = 0.9
    squared: bool = True
    name = "kd"
    label = "KD"
    term_names: ClassVar[tuple[str, ...]] = ("ce", "kd")
    needs = frozenset({"logits"})
    swept: ClassVar[str | None] = "temperature"

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``ce`` and ``kd``."""
        distance = losses.kd(step.student.logits, step.taught.logits, self.temperature, squared=self.squared)
        cross_entropy = losses.cross_entropy(step.student.logits, step.labels)
        return {"ce": (1 - self.alpha) * cross_entropy, "kd": self.alpha * distance}


@dataclass(frozen=True)
class DIST(Method):
    """Huang et al. 2022: CE + weight * DIST, with the official weights on CIFAR."""

    temperature: float = 4.0
    beta: float = 1.0
    gamma: float = 1.0
    weight: float = 2.0
    name = "dist"
    label = "DIST"
    term_names = ("ce", "dist")
    needs = frozenset({"logits"})

    def __post_init__(self) -> None:
        checks.temperature(self.temperature, *TEMPERATURES)
        checks.weight("beta", self.beta)
        checks.weight("gamma", self.gamma)
        super().__post_init__()

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``ce`` and ``dist``."""
        distance = losses.dist(step.student.logits, step.taught.logits, self.temperature, self.beta, self.gamma)
        return {"ce": losses.cross_entropy(step.student.logits, step.labels), "dist": self.weight * distance}


@dataclass(frozen=True)
class MSE(Method):
    """Kim et al. 2021: (1 - alpha) CE + alpha * half the mean squared difference of logits, KD's limit of large T."""

    alpha: float = 0.9
    name = "mse"
    label = "MSE"
    term_names = ("ce", "mse")
    needs = frozenset({"logits"})

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``ce`` and ``mse``."""
        distance = losses.mse_logits(step.student.logits, step.taught.logits)
        cross_entropy = losses.cross_entropy(step.student.logits, step.labels)
        return {"ce": (1 - self.alpha) * cross_entropy, "mse": self.alpha * distance}
