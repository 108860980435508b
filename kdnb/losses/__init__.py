"""One file a loss: paper, equation, official weight, known deviations, and the code.

Each takes logits B x K (student first) and returns a scalar tensor, the mean over the batch. The teacher's logits are
constants: pass them detached. Half-precision logits are computed in float32. No loss waits for the device.
"""

from kdnb.losses.cross_entropy import cross_entropy
from kdnb.losses.dist import dist
from kdnb.losses.kd import kd
from kdnb.losses.mse_logits import mse_logits
from kdnb.losses.squared_mu import squared_mu

__all__ = ["cross_entropy", "dist", "kd", "mse_logits", "squared_mu"]
