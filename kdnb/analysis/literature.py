"""Reported accuracies on CIFAR-100, ResNet32x4 to ResNet8x4: quoted, not measured here, and not all comparable.

Each row is what its source states for its own protocol. Protocols differ in the weight of labels and of KD beside the
method's loss, in the epoch that is reported and in the student alone, so that even two rows of one method differ.
Weights and hint layers are those of the repositories' scripts and defaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

PAIR = "CIFAR-100, ResNet32x4 → ResNet8x4, 240 epochs"
TEACHER = 79.42  # test accuracy of the teacher that the sources share, %


@dataclass(frozen=True)
class Source:
    """Where accuracies are quoted from. ``key``: the work in the book's references whose authors trained them."""

    name: str
    key: str
    cited: str
    url: str
    protocol: str


REPDISTILLER = Source(
    "RepDistiller",
    "tian2020crd",
    "Tian et al. 2020",
    "https://github.com/HobbitLong/RepDistiller#readme",
    "KD is 0.1 CE + 0.9 KD at T = 4; the others are CE and 100 FitNet (after stage 2), 1000 AT, 1 VID or 0.8 CRD, "
    "without KD; the last epoch",
)
SIMKD = Source(
    "SimKD's code",
    "chen2022simkd",
    "Chen et al. 2022",
    "https://github.com/DefangChen/SimKD#readme",
    "KD is CE + KD at T = 4; the others add the same losses (FitNet after stage 1), 400 SemCKD or 1 SRRL; SimKD alone "
    "has neither",
)
DIST = Source(
    "DIST's code",
    "huang2022dist",
    "Huang et al. 2022",
    "https://github.com/hunto/DIST_KD#readme",
    "CE and twice the method's loss; ± its own spread",
)
SOURCES = (REPDISTILLER, SIMKD, DIST)


@dataclass(frozen=True)
class Reported:
    """One quoted accuracy: ``method`` and ``parameters`` as :func:`kdnb.methods.create` takes them, per cent."""

    method: str
    source: Source
    accuracy: float
    spread: float | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)

    @property
    def number(self) -> str:
        """The accuracy, to read."""
        return f"{self.accuracy:.2f}" + ("" if self.spread is None else f" ± {self.spread:.2f}")


FOUR = {"temperature": 4.0}
FIGURES = (
    Reported("normal", REPDISTILLER, 72.50),
    Reported("normal", SIMKD, 73.09),
    Reported("kd", REPDISTILLER, 73.33, parameters=FOUR),
    Reported("kd", SIMKD, 74.42, parameters=FOUR),
    Reported("dist", DIST, 76.31, 0.19),
    Reported("fitnet", REPDISTILLER, 73.50),
    Reported("fitnet", SIMKD, 74.32),
    Reported("at", REPDISTILLER, 73.44),
    Reported("at", SIMKD, 75.07),
    Reported("vid", REPDISTILLER, 73.09),
    Reported("vid", SIMKD, 74.55),
    Reported("semckd", SIMKD, 76.23),
    Reported("crd", REPDISTILLER, 75.51),
    Reported("crd", SIMKD, 75.59),
    Reported("srrl", SIMKD, 75.39),
    Reported("simkd", SIMKD, 78.08, parameters={"factor": 2.0}),
    Reported("simkd", SIMKD, 77.88, parameters={"factor": 4.0}),
    Reported("simkd", SIMKD, 76.73, parameters={"factor": 8.0}),
)


def sources_text() -> str:
    """Whose numbers stand in a table of reported accuracies, and under which protocol, in HTML."""
    told = [f'<a href="{s.url}"><em>{s.name}</em></a> ({s.cited}): {s.protocol}' for s in SOURCES]
    return (
        f"Test accuracy in per cent on {PAIR}, quoted from the authors' repositories, a teacher of {TEACHER}. "
        f"{'. '.join(told)}. These numbers are <strong>not comparable</strong> with each other, since the protocols "
        "differ down to the student alone, nor with ours: other networks, another number of epochs."
    )
