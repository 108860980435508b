"""Named settings: ``digits`` (offline, minutes), ``cifar100`` (the paper), and smaller or other pairs beside them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kdnb.checks import choice


@dataclass(frozen=True)
class Profile:
    """What a study is made of where its parameters leave it open."""

    dataset: str
    teacher: str
    student: str
    matched_accuracy: float  # clean training accuracy of the matched snapshot; the paper compares "at 91 +- 0.5 %"
    clean_images: int  # unaugmented training images for clean accuracy and neural collapse
    precision: str = "fp32"
    teacher_outputs: str = "live"  # or table: which one pays, see kdnb.train.teacher_table
    epochs: int = 240
    batch_size: int = 64
    learning_rate: float = 0.05


DIGITS = Profile("digits", "resnet20", "resnet8", matched_accuracy=0.97, clean_images=448, teacher_outputs="table")
HALF = Profile(
    "cifar100", "resnet32x2", "resnet8x2", matched_accuracy=0.58, clean_images=5000, precision="bf16", epochs=40
)
PROFILES = {
    "digits": DIGITS,
    "cifar100": Profile(
        "cifar100",
        "resnet32x4",
        "resnet8x4",
        matched_accuracy=0.91,
        clean_images=5000,
        precision="auto",
        teacher_outputs="table",
    ),
    # Ten images a class and the same test images: no network knows all of them, so there is something left to teach.
    "digits-few": replace(DIGITS, dataset="digits-few", clean_images=100),
    # The digits' pair with fewer features: fewer than classes, and some more. What of reuse is a matter of room?
    "digits-d8": replace(DIGITS, teacher="resnet20d8", student="resnet8d8"),
    "digits-d16": replace(DIGITS, teacher="resnet20d16", student="resnet8d16"),
    # Another pair, as wide at its end as the paper's (256 features). Its steps are dear, so it takes fewer epochs.
    "digits-wide": replace(DIGITS, teacher="resnet14x4", student="resnet8x4", epochs=60),
    # The paper's pair at half its width, where features still outnumber classes (128, 100), and a sixth of its epochs:
    # an hour a student, five a teacher, of one core.
    "cifar100-half": HALF,
    # The paper's data with small networks and a sixteenth of its epochs: hours on a CPU.
    "cifar100-small": replace(HALF, teacher="resnet20", student="resnet8", matched_accuracy=0.45, epochs=15),
}
# The field's schedule: of 240 epochs, the learning rate falls after these.
DROPS, DROPS_OF = (150, 180, 210), 240


def get(name: str) -> Profile:
    """The profile ``name``; ValueError listing the known ones."""
    return PROFILES[choice("profile", name, PROFILES)]


def scaled_drops(epochs: int) -> tuple[int, ...]:
    """The field's learning-rate drops, scaled to ``epochs``."""
    return tuple(round(epochs * drop / DROPS_OF) for drop in DROPS)


def unusual_drops(drops: Sequence[int], epochs: int) -> tuple[int, ...] | None:
    """``drops`` where they are not the field's for ``epochs``, else None; empty: the rate never falls."""
    return None if tuple(drops) == scaled_drops(epochs) else tuple(drops)
