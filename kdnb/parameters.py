"""The parameters of notebooks and command line: documented fields of small dataclasses, every one checked alike.

A notebook's cell tagged ``parameters`` holds plain assignments; ``read(globals(), StudentParameters)`` collects them
and refuses names that are no field, so a mistyped ``papermill -p`` cannot pass unnoticed. Types and ranges stand in the
annotations and are checked by pydantic, whichever way a value comes; a text that is a number counts as one, since
papermill and YAML hand over ``5e-4`` so.
"""

import ast
import types
from collections.abc import Iterable, Mapping
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, dataclass_transform, get_args, get_origin

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AllowInfNan, BeforeValidator, ConfigDict, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from kdnb import profiles
from kdnb.checks import HIGHEST_TEMPERATURE, choice
from kdnb.device import PRECISIONS

T = TypeVar("T")
PLAIN = (bool, int, float, str, list, tuple, dict, type(None))
OF_JUPYTER = {"In", "Out", "exit", "quit"}
OF_PAPERMILL = {"PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH", "PAPERMILL_OUTPUT_DIR_PATH"}


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("truth_value", "a truth value is no number")
    return value


Whole = Annotated[int, BeforeValidator(_no_truth_value)]
Real = Annotated[float, BeforeValidator(_no_truth_value), AllowInfNan(False)]
Count = Annotated[Whole, Ge(1)]
Seed = Annotated[Whole, Ge(0)]
Share = Annotated[Real, Ge(0), Le(1)]
Positive = Annotated[Real, Gt(0)]
NotNegative = Annotated[Real, Ge(0)]
Temperature = Annotated[Real, Gt(0), Le(HIGHEST_TEMPERATURE)]
Temperatures = Annotated[tuple[Temperature, ...], MinLen(1)]
Names = Annotated[tuple[str, ...], MinLen(1)]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def checked(kind: type[T]) -> type[T]:
    """Make ``kind`` a frozen dataclass, made by names alone, whose fields are what their annotations say.

    Raises ValueError, a line a field, naming the field, the value and the rule. The text None, which YAML and the
    command line give, is nothing where a field may be empty.
    """
    made: Any = dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))(kind)
    build = made.__init__

    def init(self: T, **named: Any) -> None:
        hints = {field.name: field.type for field in fields(made)}
        given = {name: None if _is_nothing(hints.get(name), value) else value for name, value in named.items()}
        if blank := [name for name in hints if _is_blank(given.get(name))]:
            errors = [{"type": "blank", "loc": (name,), "input": given[name]} for name in blank]
            raise ValueError("\n".join(_refusals(made, errors)))
        try:
            build(self, **given)
        except ValidationError as error:
            raise ValueError("\n".join(_refusals(made, error.errors()))) from None

    made.__init__ = init
    return made  # type: ignore[no-any-return]


def _is_nothing(annotation: Any, value: object) -> bool:
    return type(None) in get_args(annotation) and isinstance(value, str) and value.strip().lower() == "none"


def _is_blank(value: object) -> bool:
    """Whether a text, or one of a list, is empty: an unset variable of the shell, never what is meant."""
    texts = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(one, str) and not one.strip() for one in texts)


def _refusals(kind: Any, errors: Iterable[Any]) -> list[str]:
    """What is wrong with each field, once."""
    hints = {field.name: field.type for field in fields(kind)}
    lines: dict[str, str] = {}
    for error in errors:
        if not error["loc"]:  # of __post_init__, which speaks for itself
            lines.setdefault("", str(error["ctx"]["error"]))
            continue
        name, value = str(error["loc"][0]), error["input"]
        if error["type"] in ("unexpected_keyword_argument", "dataclass_init_error"):
            lines.setdefault(name, f"unknown parameter {name!r}; known: {', '.join(sorted(hints))}.")
            continue
        inside = any(isinstance(part, int) for part in error["loc"][1:])
        rule = rule_of(hints[name], inside)
        said = f"{name} holds {value!r}; each of it" if inside else f"{name} is {value!r}; it"
        lines.setdefault(name, f"{said} must be {rule}.{_way_out(name, value, inside)}")
    return list(lines.values())


def _way_out(name: str, value: object, inside: bool) -> str:
    """What papermill and YAML do to values, where that may be the reason."""
    if isinstance(value, bool):
        spelling = {True: "'yes' or 'on'", False: "'no' or 'off'"}[value]
        return f" YAML reads {spelling} without quotes as a truth value: quote what is a text."
    if _is_blank(value):
        return " An empty text is none: is a variable of the shell unset?"
    if isinstance(value, str) and value.strip().startswith("[") and not inside:
        return f" With papermill: -y '{name}: {value}' (-p passes a text)."
    return ""


def rule_of(annotation: Any, inside: bool = False) -> str:
    """What a field's annotation asks for, in words; ``inside``: of each element of its list."""
    if get_origin(annotation) in (Union, types.UnionType):
        known = [arg for arg in get_args(annotation) if arg is not type(None)]
        return rule_of(known[0], inside) + (" or None" if len(known) < len(get_args(annotation)) else "")
    limits: tuple[Any, ...] = ()
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        limits = (*more, *limits)
    if get_origin(annotation) is Literal:
        return " or ".join(map(repr, get_args(annotation)))
    if get_origin(annotation) is tuple:
        element = get_args(annotation)[0]
        several = "a list that is not empty" if any(isinstance(limit, MinLen) for limit in limits) else "a list"
        return rule_of(element) if inside else f"{several}, of which each is {rule_of(element)}"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", Path: "a path"}
    return words[annotation] + _range(limits)


def _range(limits: Iterable[Any]) -> str:
    low = next((limit.ge for limit in limits if isinstance(limit, Ge)), None)
    above = next((limit.gt for limit in limits if isinstance(limit, Gt)), None)
    high = next((limit.le for limit in limits if isinstance(limit, Le)), None)
    if above is not None:
        return f" greater than {above:g}" + (f", at most {high:g}" if high is not None else "")
    if low is None:
        return ""
    return f" from {low:g} to {high:g}" if high is not None else f" from {low:g} up"


@checked
class StudyParameters:
    """What teacher and students have in common. None: the profile decides."""

    profile: str = "digits"  # digits, cifar100 (the paper), cifar100-half, ...: see kdnb.profiles
    output_dir: str | None = None  # where runs are kept; None: runs/<profile> beside the notebooks' folder
    dataset: str | None = None  # digits, digits-few, cifar10, cifar100, or folder (of one's own pictures)
    data_dir: str | None = None  # where the files are or will be put; None: data/ beside the notebooks' folder
    limit: Count | None = None  # so many images of each split, for a quick trial
    seed: Seed = 0  # of initialisation, order and views
    order_seed: Seed | None = None  # order of the images; None: seed
    view_seed: Seed | None = None  # crops and flips; None: seed
    epochs: Count | None = None  # passes over the training images
    batch_size: Annotated[Whole, Ge(2)] | None = None  # images a step; a batch norm needs two
    learning_rate: Positive | None = None  # before it falls
    drops: tuple[Seed, ...] | None = None  # the rate falls tenfold after these epochs; None: 150, 180, 210 of 240
    momentum: Share = 0.9  # of SGD
    nesterov: bool = True  # Nesterov's momentum, as the paper says; False: plain, as most public code
    weight_decay: NotNegative = 5e-4  # of every weight
    # which accuracy decides on the matched snapshot
    matched_on: Literal["clean_accuracy", "test_top5_accuracy"] = "clean_accuracy"
    matched_accuracy: Share | None = None  # the value it must reach
    precision: str | None = None  # fp32, tf32, bf16, fp16, or auto: what the device is made for
    device: str = "auto"  # cuda, mps, cpu, or auto: the first of these that is there
    minutes: Positive | None = None  # stop at an epoch's end before they are over; the same call goes on later
    cuda_graph: bool = True  # False: the plain loop, to compare with
    streams: Count = 1  # runs of a group that step at the same time on CUDA

    def __post_init__(self) -> None:
        if self.precision is not None:
            choice("precision", self.precision, [*PRECISIONS, "auto"])
        if self.nesterov and not self.momentum:
            raise ValueError("momentum is 0 and nesterov is true; Nesterov's momentum needs one: nesterov=False.")
        if self.drops:
            self._check_drops(self.drops)

    def _check_drops(self, drops: tuple[int, ...]) -> None:
        """ValueError where two lists would be one experiment, or training ends before the rate has fallen."""
        if any(after <= before for before, after in pairwise(drops)):
            raise ValueError(f"drops is {list(drops)}; its epochs must rise: {sorted(set(drops))}.")
        epochs = self.epochs or profiles.get(self.profile).epochs
        if late := [drop for drop in drops if drop >= epochs]:
            raise ValueError(
                f"drops holds {late[-1]}, and training ends after epoch {epochs}: name earlier epochs, or leave drops "
                f"out for {list(profiles.scaled_drops(epochs))}, [] for never."
            )


@checked
class TeacherParameters(StudyParameters):
    """Of ``01_teacher`` and ``python -m kdnb teacher``."""

    teacher_model: str | None = None  # a network of kdnb.models, or of one's own: package.module:factory


@checked
class StudentParameters(StudyParameters):
    """Of ``02_students`` and ``python -m kdnb students``."""

    # of kdnb.methods.METHODS, where wanted with parameters of their own: simkd:factor=4, pulled:weight=1,alpha=0.5
    methods: Names = ("normal", "kd", "dist", "mse")
    temperatures: Temperatures = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)  # of kd: one student each
    alpha: Share = 0.9  # weight of distillation in kd and mse; 1 - alpha: of cross-entropy
    squared: bool = True  # multiply kd's divergence by T^2
    student_model: str | None = None  # a network of kdnb.models, or of one's own: package.module:factory
    teacher_model: str | None = None  # the same
    teacher_seed: Seed = 0  # whose students they are
    teachers_dir: str | None = None  # where teachers are kept, so that studies can share them; None: output_dir
    teacher_weights: str | None = None  # a checkpoint of one's own instead of a teacher trained here
    teacher_outputs: Literal["live", "table"] | None = None  # live: with every batch; table: once for all views
    bystander_seed: Seed | None = 1  # a teacher the students never see, the control; None: no control columns

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bystander_seed == self.teacher_seed and self.teacher_weights is None:
            raise ValueError(f"bystander_seed is {self.bystander_seed}, the teacher's own; choose another, or None.")


def read(namespace: Mapping[str, Any], kind: type[T]) -> T:
    """The parameters among the plain variables of a notebook's ``globals()``; ValueError for one that is no field.

    What the notebook's own cells have made by then, in a kernel where all is run again, is no parameter.
    """
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    others = OF_JUPYTER | OF_PAPERMILL | made_by(namespace.get("In", ())) - known
    given = {
        name: value
        for name, value in namespace.items()
        if isinstance(value, PLAIN) and not name.startswith("_") and name not in others
    }
    for name in given:
        choice("parameter", name, known)
    return kind(**given)


def made_by(cells: Iterable[str]) -> set[str]:
    """The variables that ``cells`` make, but for cells of parameters: those that set variables to literals alone."""
    own: set[str] = set()
    for source in cells:
        try:
            tree = ast.parse(source)
        except SyntaxError:  # with a command for the shell or for IPython
            continue
        if not all(map(_sets_literal, tree.body)):
            own |= {
                node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
    return own


def _sets_literal(statement: ast.stmt) -> bool:
    try:
        return isinstance(statement, ast.Assign) and ast.literal_eval(statement.value) is not ...
    except ValueError:
        return False
