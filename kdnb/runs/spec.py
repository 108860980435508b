"""A run's identity and the name of its folder."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from kdnb import methods
from kdnb.profiles import unusual_drops


@dataclass(frozen=True)
class RunSpec:
    """Identity of a run: two runs with equal specs are the same experiment.

    ``teacher`` and ``bystander`` hold ``{"model": name, "checksum": sha256 of the weights}``.
    """

    role: Literal["teacher", "student"]
    dataset: str
    data_checksum: str
    model: str
    method: str
    method_parameters: dict[str, float]
    init_seed: int
    order_seed: int
    view_seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    nesterov: bool
    weight_decay: float
    drops: tuple[int, ...]  # the learning rate falls after each of these epochs
    drop_factor: float
    precision: str
    teacher: dict[str, str] | None
    bystander: dict[str, str] | None
    matched_on: str  # the history's column that decides when the matched snapshot is taken
    matched_accuracy: float  # the value it must reach
    clean_images: int
    teacher_outputs: str | None  # live: computed with each batch; None: a teacher's own run

    @property
    def name(self) -> str:
        """Folder name: method, its parameters where they vary in a study, weight decay, an unusual schedule, seed."""
        if self.role == "teacher":
            return teacher_name(self.init_seed)
        drops = unusual_drops(self.drops, self.epochs)
        return student_name(self.method, self.method_parameters, self.weight_decay, self.init_seed, drops)

    @property
    def label(self) -> str:
        """Name in figures: "teacher", "normal", "KD T=4", "DIST", "MSE"."""
        if self.role == "teacher":
            return "teacher"
        return methods.label(self.method, self.method_parameters)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; what ``spec.json`` holds."""
        content: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return content

    @staticmethod
    def from_json(content: dict[str, Any]) -> "RunSpec":
        """The inverse of :meth:`as_json`; ValueError when a field is missing, unknown, or not of its type."""
        names = {field.name for field in fields(RunSpec)}
        if odd := names.symmetric_difference(content):
            raise ValueError(f"another version of kdnb made it ({', '.join(sorted(odd))})")
        try:
            return _reader().validate_json(json.dumps(content), strict=True)
        except ValidationError as error:
            raise ValueError("; ".join(map(_refusal, error.errors()))) from None

    def lr_at(self, epoch: int) -> float:
        """Learning rate of ``epoch`` (counted from 1)."""
        return self.learning_rate * self.drop_factor ** sum(epoch > drop for drop in self.drops)


@cache
def _reader() -> TypeAdapter[RunSpec]:
    return TypeAdapter(RunSpec)


def _refusal(error: ErrorDetails) -> str:
    """What is wrong with a field's value: its place, the value and the rule."""
    place, rule = ".".join(map(str, error["loc"])), error["msg"].removeprefix("Input should be ")
    return f"{place} is {error['input']!r}; it must be {rule}"


def teacher_name(seed: int) -> str:
    """Folder of the teacher of a seed."""
    return f"teacher-s{seed}"


def student_name(
    method: str, parameters: dict[str, float], weight_decay: float, seed: int, drops: Sequence[int] | None = None
) -> str:
    """Folder of a student: its method, the parameters that studies vary, weight decay, unusual ``drops``, and seed."""
    told = methods.varied(method, parameters)
    chosen = [f"{short}{told.pop(key):g}" for key, short in methods.SHORT.items() if key in told]
    unsquared = ["unsquared"] if told.pop("squared", 1.0) == 0 else []
    odd = [f"{key}{value:g}" for key, value in told.items()]
    schedule = [] if drops is None else ["drops" + ".".join(map(str, drops)) if drops else "nodrops"]
    return "-".join([method, *chosen, *unsquared, *odd, f"wd{weight_decay:g}", *schedule, f"s{seed}"])


def check_names(identities: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """ValueError where two runs that differ would have one folder: names tell numbers by their first six digits."""
    known: dict[str, Mapping[str, Any]] = {}
    for name, identity in identities:
        first = known.setdefault(name, identity)
        differing = [
            f"{key}: {value!r} and {identity[key]!r}" for key, value in first.items() if value != identity[key]
        ]
        if differing:
            raise ValueError(
                f"two runs would be called {name}, and they differ ({'; '.join(differing)}). Ask for values that "
                "differ in their first six digits, or train one of them in another output_dir."
            )
