"""Loss scaling for fp16, whose gradients would vanish otherwise (Micikevicius et al. 2018)."""

from collections.abc import Sequence

import torch
from torch import Tensor

START, GROW_AFTER = 2.0**16, 2000  # steps without overflow; torch's GradScaler has the same


class LossScale:
    """A factor for the loss: halved when a gradient overflows, doubled after many steps in which none did.

    All of it stays on the device: no step waits for the host.
    """

    def __init__(self, device: torch.device) -> None:
        self.scale, self.steps = torch.tensor(START, device=device), torch.tensor(0.0, device=device)

    def state(self) -> dict[str, Tensor]:
        """Tensors that a resumption needs."""
        return {"loss_scale.scale": self.scale, "loss_scale.steps": self.steps}

    @torch.no_grad()
    def unscale(self, gradients: Sequence[Tensor]) -> Tensor:
        """Divide ``gradients`` by the scale in place, then adapt it; 1.0 when one overflowed, so that the step be left
        out, else 0.0."""
        torch._foreach_div_(list(gradients), self.scale)
        overflow = 1 - torch.stack(torch._foreach_norm(list(gradients))).isfinite().all().float()
        self.steps.add_(1).mul_(1 - overflow)
        grown = (self.steps >= GROW_AFTER).float()
        self.scale.mul_((1 - 0.5 * overflow) * (1 + grown))
        self.steps.mul_(1 - grown)
        return overflow
