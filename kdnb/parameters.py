"""The parameters of notebooks and command line: documented fields of small dataclasses, checked by name.

A notebook's cell tagged ``parameters`` holds plain assignments; ``read(globals(), StudentParameters)`` collects them
and refuses names that are no field, so a mistyped ``papermill -p`` cannot pass unnoticed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from kdnb.checks import choice, list_of, number
from kdnb.device import PRECISIONS

T = TypeVar("T")
PLAIN = (bool, int, float, str, list, tuple, dict, type(None))
OF_JUPYTER = {"In", "Out", "exit", "quit"}
OF_PAPERMILL = {"PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH", "PAPERMILL_OUTPUT_DIR_PATH"}


@dataclass(frozen=True)
class StudyParameters:
    """What teacher and students have in common. None: the profile decides."""

    profile: str = "digits"  # digits, cifar100 (the paper), cifar100-half, ...: see kdnb.profiles
    output_dir: str | None = None  # where runs are kept; None: runs/<profile> beside the notebooks' folder
    dataset: str | None = None  # digits, digits-few, cifar10, cifar100, or folder (of one's own pictures)
    data_dir: str | None = None  # where the files are or will be put; None: data/ beside the notebooks' folder
    limit: int | None = None  # so many images of each split, for a quick trial
    seed: int = 0  # of initialisation, order and views
    order_seed: int | None = None  # order of the images; None: seed
    view_seed: int | None = None  # crops and flips; None: seed
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    drops: list[int] | None = None  # epochs after which the rate falls tenfold; None: 150, 180, 210 of 240, scaled
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    matched_on: str = "clean_accuracy"  # which accuracy decides on the matched snapshot; or test_top5_accuracy
    matched_accuracy: float | None = None  # the value it must reach
    precision: str | None = None  # fp32, tf32, bf16, fp16, or auto: what the device is made for
    device: str = "auto"  # cuda, mps, cpu, or auto: the first of these that is there
    minutes: float | None = None  # stop at an epoch's end before they are over; the same call goes on later
    cuda_graph: bool = True  # False: the plain loop, to compare with
    streams: int = 1  # runs of a group that step at the same time on CUDA

    def __post_init__(self) -> None:
        _whole("seed", self.seed, 0)
        for name, low in (("limit", 1), ("epochs", 1), ("batch_size", 2), ("order_seed", 0), ("view_seed", 0)):
            if getattr(self, name) is not None:
                _whole(name, getattr(self, name), low)
        _whole("streams", self.streams, 1)
        choice("matched_on", self.matched_on, ("clean_accuracy", "test_top5_accuracy"))
        number("momentum", self.momentum, "from 0 to 1", 0, 1)
        number("weight_decay", self.weight_decay, "a number from 0 up", 0, float("inf"))
        if self.learning_rate is not None:
            number("learning_rate", self.learning_rate, "a number greater than 0", 0, float("inf"), open_low=True)
        if self.minutes is not None:
            number("minutes", self.minutes, "a number greater than 0", 0, float("inf"), open_low=True)
        if self.precision is not None:
            choice("precision", self.precision, [*PRECISIONS, "auto"])
        if self.matched_accuracy is not None:
            number("matched_accuracy", self.matched_accuracy, "from 0 to 1", 0, 1)
        for drop in self.drops or []:
            _whole("each of drops", drop, 0)


@dataclass(frozen=True)
class TeacherParameters(StudyParameters):
    """Of ``01_teacher`` and ``python -m kdnb teacher``."""

    teacher_model: str | None = None


@dataclass(frozen=True)
class StudentParameters(StudyParameters):
    """Of ``02_students`` and ``python -m kdnb students``."""

    # of kdnb.methods.METHODS, where wanted with parameters of their own: simkd:factor=4, pulled:weight=1,alpha=0.5
    methods: tuple[str, ...] | list[str] = ("normal", "kd", "dist", "mse")
    temperatures: tuple[float, ...] | list[float] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)  # of kd: one student each
    alpha: float = 0.9  # weight of distillation in kd and mse; 1 - alpha: of cross-entropy
    squared: bool = True  # multiply kd's divergence by T^2
    student_model: str | None = None
    teacher_model: str | None = None
    teacher_seed: int = 0
    teachers_dir: str | None = None  # where teachers are kept, so that studies can share them; None: output_dir
    teacher_weights: str | None = None  # a checkpoint of one's own instead of a teacher trained here
    teacher_outputs: str | None = None  # live: with every batch; table: once for all views
    bystander_seed: int | None = 1  # a teacher the students never see, the control; None: no control columns

    def __post_init__(self) -> None:
        super().__post_init__()
        list_of("methods", self.methods, "[normal, kd]")
        list_of("temperatures", self.temperatures, "[1, 4, 10]")
        for temperature in self.temperatures:
            number("temperature", temperature, "a number greater than 0", 0, 1e6, open_low=True)
        number("alpha", self.alpha, "a number from 0 to 1", 0, 1)
        if self.teacher_outputs is not None:
            choice("teacher_outputs", self.teacher_outputs, ("live", "table"))
        if self.bystander_seed == self.teacher_seed and self.teacher_weights is None:
            raise ValueError(f"bystander_seed is {self.bystander_seed}, the teacher's own; choose another, or None.")


def read(namespace: Mapping[str, Any], kind: type[T]) -> T:
    """The parameters among the plain variables of a notebook's ``globals()``; ValueError for one that is no field."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    hidden = OF_JUPYTER | OF_PAPERMILL
    plain = {
        name: value
        for name, value in namespace.items()
        if isinstance(value, PLAIN) and not name.startswith("_") and name not in hidden
    }
    for name in plain:
        choice("parameter", name, known)
    return kind(**plain)


def _whole(name: str, value: object, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(f"{name} is {value!r}; it must be a whole number from {low} up.")
