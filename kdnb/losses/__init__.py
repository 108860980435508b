"""One file a loss: paper, equation, official weight, known deviations, and the code.

Each takes outputs of a batch (student first) and returns a scalar tensor. The teacher's are constants: pass them
detached. Half precision is computed in float32. No loss waits for the device.
"""

from kdnb.losses.attention import attention
from kdnb.losses.crd import crd
from kdnb.losses.cross_entropy import cross_entropy
from kdnb.losses.dist import dist
from kdnb.losses.hint import hint
from kdnb.losses.kd import kd
from kdnb.losses.mse_logits import mse_logits
from kdnb.losses.semckd import calibrated
from kdnb.losses.simkd import simkd
from kdnb.losses.squared_mu import squared_mu
from kdnb.losses.srrl import squared_difference
from kdnb.losses.vid import vid

__all__ = [
    "attention",
    "calibrated",
    "crd",
    "cross_entropy",
    "dist",
    "hint",
    "kd",
    "mse_logits",
    "simkd",
    "squared_difference",
    "squared_mu",
    "vid",
]
