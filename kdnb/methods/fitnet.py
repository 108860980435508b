"""FitNets (Romero et al., ICLR 2015): see :mod:`kdnb.losses.hint`."""

from dataclasses import dataclass

from torch import Tensor, nn

from kdnb import losses
from kdnb.methods.base import Method, Setting, Step
from kdnb.methods.layers import convolved
from kdnb.models import Network


@dataclass(frozen=True)
class FitNet(Method):
    """CE + weight * hint on the maps of one stage: 0 is the stem."""

    weight: float = 100.0
    stage: float = 2
    name = "fitnet"
    label = "FitNet"
    term_names = ("ce", "hint")
    needs = frozenset({"maps"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stage not in range(4):
            raise ValueError(f"stage is {self.stage!r}; it must be 0 (the stem), 1, 2 or 3.")

    def begin(self, network: Network, setting: Setting) -> nn.Module:
        """The regressor: a 1 x 1 convolution, since both networks' maps have one size."""
        student, teacher = (output.maps[int(self.stage)].shape[1] for output in (setting.student, setting.teacher))
        return convolved(student, teacher)

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``ce`` and ``hint``."""
        stage = int(self.stage)
        distance = losses.hint(step.parts(step.student.maps[stage]), step.taught.maps[stage])
        return {"ce": losses.cross_entropy(step.student.logits, step.labels), "hint": self.weight * distance}
