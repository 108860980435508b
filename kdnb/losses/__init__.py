"""One file a loss: paper, equation, official weight, known deviations, and the code.

Each takes outputs of a batch (student first) and returns a scalar tensor. The teacher's are constants: pass them
detached. Half precision is computed in float32. No loss waits for the device.
"""

from kdnb.losses.attention import attention as attention
from kdnb.losses.crd import crd as crd
from kdnb.losses.cross_entropy import cross_entropy as cross_entropy
from kdnb.losses.dist import dist as dist
from kdnb.losses.hint import hint as hint
from kdnb.losses.kd import kd as kd
from kdnb.losses.mse_logits import mse_logits as mse_logits
from kdnb.losses.semckd import calibrated as calibrated
from kdnb.losses.simkd import simkd as simkd
from kdnb.losses.squared_mu import squared_mu as squared_mu
from kdnb.losses.srrl import squared_difference as squared_difference
from kdnb.losses.vid import vid as vid
