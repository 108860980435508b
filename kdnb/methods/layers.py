"""Small modules that several methods train beside the student."""

from torch import Tensor, nn
from torch.nn import functional as F


def convolved(in_width: int, width: int, kernel: int = 1) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU; the size of the maps stays."""
    return nn.Sequential(
        nn.Conv2d(in_width, width, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


class Unit(nn.Module):
    """Rows scaled to length 1."""

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x.float())


def widths(maps: tuple[Tensor, ...]) -> list[int]:
    """Channels of each stage's maps."""
    return [stage.shape[1] for stage in maps]
