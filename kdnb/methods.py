"""How a student learns: each method turns outputs into named loss terms, already weighted, whose sum is trained.

A new method is one small dataclass here and one entry in ``METHODS``; its loss lives in :mod:`kdnb.losses`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol

from torch import Tensor

from kdnb import losses
from kdnb.checks import choice, number
from kdnb.models import Output


class Method(Protocol):
    """What the training loop asks of a method.

    ``needs``: which of the teacher's outputs it learns from: logits, features, maps.
    """

    term_names: ClassVar[tuple[str, ...]]
    needs: ClassVar[frozenset[str]]

    def terms(self, student: Output, teacher: Output | None, labels: Tensor) -> dict[str, Tensor]:
        """Weighted scalar loss terms by name; their sum is the training loss."""
        ...


def _check_temperature(value: float) -> None:
    number("temperature", value, "a number greater than 0", 0, 1e6, open_low=True)


def _check_alpha(value: float) -> None:
    number("alpha", value, "a number from 0 to 1", 0, 1)


def _known(teacher: Output | None) -> Output:
    if teacher is None:
        raise ValueError("this method learns from a teacher, and none was given; name one, or use method 'normal'.")
    return teacher


@dataclass(frozen=True)
class Normal:
    """Cross-entropy on the labels alone (the paper's "normal training")."""

    term_names: ClassVar[tuple[str, ...]] = ("ce",)
    needs: ClassVar[frozenset[str]] = frozenset()

    def terms(self, student: Output, teacher: Output | None, labels: Tensor) -> dict[str, Tensor]:
        """``ce``."""
        return {"ce": losses.cross_entropy(student.logits, labels)}


@dataclass(frozen=True)
class KD:
    """Vanilla distillation (Hinton et al. 2015): (1 - alpha) CE + alpha T^2 KL.

    ``squared=False`` leaves T^2 out: the other reading of the paper.
    """

    temperature: float = 4.0
    alpha: float = 0.9
    squared: bool = True
    term_names: ClassVar[tuple[str, ...]] = ("ce", "kd")
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})

    def __post_init__(self) -> None:
        _check_temperature(self.temperature)
        _check_alpha(self.alpha)

    def terms(self, student: Output, teacher: Output | None, labels: Tensor) -> dict[str, Tensor]:
        """``ce`` and ``kd``."""
        distance = losses.kd(student.logits, _known(teacher).logits, self.temperature)
        if not self.squared:
            distance = distance / self.temperature**2
        return {"ce": (1 - self.alpha) * losses.cross_entropy(student.logits, labels), "kd": self.alpha * distance}


@dataclass(frozen=True)
class DIST:
    """Huang et al. 2022: CE + weight * DIST, with the official weights on CIFAR."""

    temperature: float = 4.0
    beta: float = 1.0
    gamma: float = 1.0
    weight: float = 2.0
    term_names: ClassVar[tuple[str, ...]] = ("ce", "dist")
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})

    def __post_init__(self) -> None:
        _check_temperature(self.temperature)
        for name in ("beta", "gamma", "weight"):
            number(name, getattr(self, name), "a number from 0 up", 0, float("inf"))

    def terms(self, student: Output, teacher: Output | None, labels: Tensor) -> dict[str, Tensor]:
        """``ce`` and ``dist``."""
        distance = losses.dist(student.logits, _known(teacher).logits, self.temperature, self.beta, self.gamma)
        return {"ce": losses.cross_entropy(student.logits, labels), "dist": self.weight * distance}


@dataclass(frozen=True)
class MSE:
    """Kim et al. 2021: (1 - alpha) CE + alpha * half the mean squared difference of logits, KD's limit of large T."""

    alpha: float = 0.9
    term_names: ClassVar[tuple[str, ...]] = ("ce", "mse")
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})

    def __post_init__(self) -> None:
        _check_alpha(self.alpha)

    def terms(self, student: Output, teacher: Output | None, labels: Tensor) -> dict[str, Tensor]:
        """``ce`` and ``mse``."""
        distance = losses.mse_logits(student.logits, _known(teacher).logits)
        return {"ce": (1 - self.alpha) * losses.cross_entropy(student.logits, labels), "mse": self.alpha * distance}


METHODS: dict[str, type[Any]] = {"normal": Normal, "kd": KD, "dist": DIST, "mse": MSE}


def parameter_names(name: str) -> list[str]:
    """The parameters method ``name`` takes."""
    return [field.name for field in fields(METHODS[choice("method", name, METHODS)])]


def needed(names: Iterable[str]) -> frozenset[str]:
    """Which of the teacher's outputs the methods ``names`` learn from, together."""
    empty: frozenset[str] = frozenset()
    return empty.union(*(METHODS[name].needs for name in names))


def create(name: str, parameters: Mapping[str, float] | None = None) -> Method:
    """The method ``name``; ValueError for an unknown name, an unknown parameter or a value out of range."""
    parameters = parameters or {}
    known = parameter_names(name)
    for parameter in parameters:
        if not known:
            raise ValueError(f"method {name!r} takes no parameters; it was given {parameter!r}.")
        choice(f"parameter of method {name!r}", parameter, known)
    method: Method = METHODS[name](**parameters)
    return method


def parameters_of(method: Any) -> dict[str, float]:
    """All parameters of a method with their values, defaults included; part of a run's identity."""
    return {name: float(value) for name, value in asdict(method).items()}
