"""What a method is: how a student learns, from its first weights to the loss terms that are trained.

A new method is one file in this folder: a frozen dataclass that inherits :class:`Method` and names itself. Its fields
are its parameters, numbers all, and part of a run's identity.
"""

import sys
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from kdnb.checks import number
from kdnb.models import Network, Output


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
            raise ValueError("this method learns from a teacher, and none was given; name one, or use method 'normal'.")
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


def check_alpha(value: float) -> None:
    """ValueError unless ``value`` is a share."""
    number("alpha", value, "a number from 0 to 1", 0, 1)


def check_weight(name: str, value: float) -> None:
    """ValueError unless ``value`` can weight a loss."""
    number(name, value, "a number from 0 up, and finite", 0, sys.float_info.max)
