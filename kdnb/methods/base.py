"""What a method is: how a student learns, from its first weights to the loss terms that are trained.

A new method is one file in this folder: a frozen dataclass that inherits :class:`Method` and names itself. Its fields
are its parameters, numbers all, and part of a run's identity.
"""

import re
from dataclasses import MISSING, dataclass, fields
from math import isfinite
from typing import ClassVar

from torch import Tensor, nn

from kdnb import checks
from kdnb.models import Network, Output

OUTPUTS = {"logits", "features", "maps"}


@dataclass(frozen=True)
class Step:
    """What a method sees of one batch: both networks' outputs, labels B, and which training images they are (B).

    ``student`` is what :meth:`Method.predict` made of ``network``'s outputs; ``parts`` what :meth:`Method.begin` gave.
    """

    student: Output
    teacher: Output | None
    labels: Tensor
    indices: Tensor
    network: Network
    parts: nn.Module

    @property
    def taught(self) -> Output:
        """The teacher's outputs; ValueError without a teacher."""
        if self.teacher is None:
            raise ValueError(
                "this method learns from a teacher, and none was given; name one, or use method 'normal'. A method of "
                'one\'s own says what it learns from: needs = frozenset({"logits"}).'
            )
        return self.teacher


@dataclass(frozen=True)
class Setting:
    """What a method can fit itself to before the first step: the teacher, the shapes of both outputs, the labels.

    ``student`` and ``teacher`` are outputs for one black image; ``labels`` those of all training images.
    ``bystander_network``: the teacher that no student learns from, where there is one.
    """

    student: Output
    teacher: Output
    teacher_network: Network
    labels: Tensor
    batch_size: int
    bystander_network: Network | None = None


class Method:
    """Base of all methods; most need :meth:`terms` only."""

    name: ClassVar[str]
    label: ClassVar[str]  # in figures
    term_names: ClassVar[tuple[str, ...]]
    needs: ClassVar[frozenset[str]] = frozenset()  # which of the teacher's outputs: logits, features, maps
    mu_is_defined: ClassVar[bool] = True  # False: the student has no classifier of its own
    swept: ClassVar[str | None] = None  # the parameter of which a study trains one student each: temperature, or none

    def __post_init__(self) -> None:
        """ValueError for a weight, an alpha or a temperature out of range; a method adds checks of what is its own."""
        given = vars(self)
        if "weight" in given:
            checks.weight("weight", given["weight"])
        if "alpha" in given:
            checks.number("alpha", given["alpha"], "a number from 0 to 1", 0, 1)
        if "temperature" in given:
            checks.temperature(given["temperature"])

    def begin(self, network: Network, setting: Setting) -> nn.Module:
        """Change the fresh ``network`` where the method asks for it; return what is trained or kept beside it.

        Called for methods that have ``needs``, under a random state of their own.
        """
        return nn.Module()

    def terms(self, step: Step) -> dict[str, Tensor]:
        """Weighted scalar loss terms by name; their sum is the training loss."""
        raise NotImplementedError

    def predict(self, network: Network, images: Tensor, parts: nn.Module) -> Output:
        """What the student is trained and judged by; its network's own answer in most methods."""
        output: Output = network(images)
        return output


def _is_word(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(r"\w+", text) is not None


def check_kind(kind: type[Method]) -> None:
    """ValueError, naming its file, for a method that cannot be trained as it is written."""
    own, about = vars(kind), ("name", "label", "term_names", "needs")
    faults = [f"{name} is missing" for name in about if not hasattr(kind, name)]
    if "__dataclass_fields__" not in own:
        if any("ClassVar" not in str(annotation) for annotation in own.get("__annotations__", {}).values()):
            faults.append("it has parameters and is no dataclass: write @dataclass(frozen=True) above it")
    else:
        given = {field.name: field.default for field in fields(kind)}  # type: ignore[arg-type]
        typed = [name for name in about if name in given]
        faults += [f"{name} has a type, so that it counts as a parameter: write {name} = ... without" for name in typed]
        faults += [
            f"parameter {name} {'has no default' if value is MISSING else f'is {value!r}, which is no finite number'}"
            for name, value in given.items()
            if name not in typed and not (isinstance(value, int | float) and isfinite(value))
        ]
    if isinstance(kind.needs, str) or not set(kind.needs) <= OUTPUTS:
        faults.append(f"needs is {kind.needs!r}; it is a frozenset of some of {', '.join(map(repr, sorted(OUTPUTS)))}")
    name, terms = getattr(kind, "name", "own"), getattr(kind, "term_names", ("own",))
    if not _is_word(name):
        faults.append(f"name is {name!r}; it is one word of letters, digits and _, since folders are called by it")
    if not isinstance(terms, tuple) or not all(map(_is_word, terms)) or not terms or len(set(terms)) < len(terms):
        faults.append(f"term_names is {terms!r}; it is a tuple of different words, ('ce',) where it is one alone")
    elif "decay" in terms:
        faults.append("a term is called 'decay', which is weight decay's name in the account; rename it")
    if kind.terms is Method.terms:
        faults.append("it has no terms(step)")
    if faults:
        raise ValueError(f"{kind.__module__}: the method {kind.__name__} cannot be used: {'; '.join(faults)}.")
