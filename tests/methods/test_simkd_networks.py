"""What SimKD and 'projected' ask of networks: a classifier on the teacher's last maps, averaged over space."""

import pytest
import torch
from torch import Tensor, nn

from kdnb import methods, models
from kdnb.methods.base import Setting
from kdnb.models import Output


class Flat(nn.Module):
    """Of one's own: the last maps (8 x side x side) are not averaged, but laid out one by one."""

    def __init__(self, side: int, shift: float = 0.0) -> None:
        super().__init__()
        self.side, self.shift = side, shift
        self.classifier = nn.Linear(8 * side**2, 10)

    def forward(self, images: Tensor) -> Output:
        last = nn.functional.adaptive_avg_pool2d(images, self.side).repeat(1, 8, 1, 1)
        features = last.flatten(1) + self.shift
        return Output((images, images, images, last), features, self.classifier(features))


def begun(name: str, student: nn.Module, teacher: nn.Module) -> nn.Module:
    image = torch.zeros(1, 1, 8, 8)
    setting = Setting(student(image), teacher(image), teacher, torch.zeros(1), 4)  # type: ignore[arg-type]
    return methods.create(name).begin(student, setting)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["simkd", "projected"])
def test_a_teacher_that_flattens_its_maps_is_refused_with_the_way_out(name: str) -> None:
    said = f"method '{name}' puts a classifier of 32 features on the teacher's last maps .* 8 channels. Take another"
    with pytest.raises(ValueError, match=f"{said} method, or a teacher that ends in global average pooling"):
        begun(name, Flat(2), Flat(2))


@pytest.mark.parametrize("name", ["simkd", "projected"])
def test_maps_of_other_sizes_are_refused_before_the_first_step(name: str) -> None:
    with pytest.raises(ValueError, match=rf"method '{name}' compares .* are 2 x 2, the teacher's 1 x 1\. Take a pair"):
        begun(name, models.create("resnet8d8", 10, 1), Flat(1))


def test_a_teacher_that_averages_is_taken_whatever_its_rounding() -> None:
    """Logits near zero differ by more than a thousandth of themselves; a tenth of the maps' size is no rounding."""
    for shift, taken in ((1e-6, True), (0.1, False)):
        torch.manual_seed(0)
        teacher = Flat(1, shift)
        nn.init.constant_(teacher.classifier.weight, 1.0)
        nn.init.zeros_(teacher.classifier.bias)
        if taken:
            begun("simkd", Flat(1), teacher)
        else:
            with pytest.raises(ValueError, match="features are no such averages"):
                begun("simkd", Flat(1), teacher)
