"""Interventions on the classifier: KD as the paper does it, with another last layer, or a pull on it.

Each differs from ``kd`` in nothing but the classifier, so that a difference in what the student learns is the
classifier's doing. It is SimKD's open question (its issue 4): does reuse work without the projector, and why? What
happens where features are matched and not answers stands in :mod:`kdnb.methods.maps`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kdnb import losses
from kdnb.checks import number
from kdnb.methods.base import Setting, Step
from kdnb.methods.logits import KD
from kdnb.models import Network


class Intervention(KD):
    """KD at one temperature, its own parameter: what varies is what happens to the classifier."""

    swept = None


@dataclass(frozen=True)
class Started(Intervention):
    """The classifier starts as the teacher's, weight and bias, and is trained like everything else."""

    name = "started"
    label = "started at W_t"

    def begin(self, network: Network, setting: Setting) -> nn.Module:
        """Copy the teacher's classifier."""
        network.classifier.load_state_dict(setting.teacher_network.classifier.state_dict())
        return nn.Module()


@dataclass(frozen=True)
class Frozen(Intervention):
    """The classifier is the teacher's from the first step to the last, and no projector helps.

    With ``alpha=0`` the labels alone train what is below it.
    """

    name = "frozen"
    label = "frozen at W_t"

    def begin(self, network: Network, setting: Setting) -> nn.Module:
        """Copy the classifier of :meth:`source`, changed as :meth:`changed` says, and never train it."""
        source = self.source(setting)
        with torch.no_grad():
            weight, bias = self.changed(source.weight, source.bias)
        network.classifier.load_state_dict({"weight": weight, "bias": bias})
        network.classifier.requires_grad_(False)
        return nn.Module()

    def source(self, setting: Setting) -> nn.Linear:
        """Whose classifier it is."""
        return setting.teacher_network.classifier

    def changed(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The classifier to freeze, from its source's: weight K x D, bias K."""
        return weight, bias


@dataclass(frozen=True)
class Foreign(Frozen):
    """Frozen at W_o, the classifier of a teacher of another seed: as good as the teacher's, and not the teacher's.

    What the student is taught comes from its own teacher; only the last layer is the bystander's.
    """

    name = "foreign"
    label = "frozen at W_o"

    def source(self, setting: Setting) -> nn.Linear:
        """The bystander's."""
        if setting.bystander_network is None:
            raise ValueError(
                "method 'foreign' takes the bystander's classifier, and there is none; set bystander_seed."
            )
        return setting.bystander_network.classifier


@dataclass(frozen=True)
class Random(Frozen):
    """Frozen at rows that point anywhere, as long as W_t's, without bias: it knows the lengths and nothing else."""

    name = "random"
    label = "frozen at random rows"

    def changed(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Rows uniform over all directions."""
        rows = nn.functional.normalize(torch.randn(weight.shape)).to(weight)
        return rows * weight.norm(dim=1, keepdim=True), torch.zeros_like(bias)


@dataclass(frozen=True)
class Permuted(Frozen):
    """Frozen at W_t with its columns in random order: the same classifier for features numbered differently.

    A student from random weights has no order of its own, so this must teach it as well as ``frozen`` does; raw mu to
    the teacher is large all the same.
    """

    name = "permuted"
    label = "frozen at permuted W_t"

    def changed(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Columns in random order."""
        return weight[:, torch.randperm(weight.shape[1]).to(weight.device)], bias


@dataclass(frozen=True)
class Rotated(Frozen):
    """Frozen at W_t Q with a random rotation Q: the same angles and lengths of rows, other axes.

    Features are never negative, so axes matter: this asks for more than ``permuted``.
    """

    name = "rotated"
    label = "frozen at rotated W_t"

    def changed(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Rows turned by one rotation or reflection, uniform over all of them (Haar)."""
        q, r = torch.linalg.qr(torch.randn(weight.shape[1], weight.shape[1]))
        return weight @ (q * r.diagonal().sign()).to(weight), bias


@dataclass(frozen=True)
class Shuffled(Frozen):
    """Frozen at W_t with its rows dealt to other classes: the same geometry, but who is near whom is wrong."""

    name = "shuffled"
    label = "frozen at class-shuffled W_t"

    def changed(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Rows moved on along one random cycle: no class keeps its own."""
        cycle = torch.randperm(len(weight))
        order = torch.empty_like(cycle)
        order[cycle] = cycle.roll(1)
        return weight[order.to(weight.device)], bias[order.to(weight.device)]


@dataclass(frozen=True)
class Simplex(Frozen):
    """Frozen at a simplex: K rows of equal length, all equally far apart, turned at random (Zhu et al., NeurIPS 2021).

    As long as W_t; its bias is zero. It knows nothing of the teacher but the norm.
    """

    name = "simplex"
    label = "frozen at a simplex"

    def changed(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """A simplex equiangular tight frame; K - 1 features would hold one, this construction takes D >= K."""
        classes, width = weight.shape
        if width < classes:
            raise ValueError(f"this simplex of {classes} classes takes as many features; this network has {width}.")
        frame, _ = torch.linalg.qr(torch.randn(width, classes))
        simplex = (torch.eye(classes) - 1 / classes) @ frame.t()
        return (simplex * (weight.norm().cpu() / simplex.norm())).to(weight), torch.zeros_like(bias)


@dataclass(frozen=True)
class Pulled(Intervention):
    """KD and a spring: weight * mu^2 draws the classifier to W_t while the student learns."""

    weight: float = 0.01  # forty times what weight decay has, and towards W_t instead of zero
    name = "pulled"
    label = "pulled to W_t"
    term_names = ("ce", "kd", "spring")

    def begin(self, network: Network, setting: Setting) -> nn.Module:
        """Keep the teacher's classifier at hand."""
        parts = nn.Module()
        parts.register_buffer("weight", setting.teacher_network.classifier.weight.detach().clone())
        return parts

    def terms(self, step: Step) -> dict[str, Tensor]:
        """``ce``, ``kd`` and ``spring``."""
        return super().terms(step) | {"spring": self.weight * self.spring(step)}

    def spring(self, step: Step) -> Tensor:
        """mu^2."""
        return losses.squared_mu(step.network.classifier.weight, step.parts.get_buffer("weight"))


@dataclass(frozen=True)
class Pushed(Pulled):
    """The reverse: the spring pushes the classifier away from W_t until their cosine is ``cosine``.

    A distance would be reached by growing alone, which every classifier does; a negative cosine is not. The epochs in
    which it acts are those whose ``loss_spring`` is above zero.
    """

    weight: float = 1.0
    cosine: float = -0.5
    name = "pushed"
    label = "pushed from W_t"

    def __post_init__(self) -> None:
        super().__post_init__()
        number("cosine", self.cosine, "a number from -1 to 1", -1, 1)

    def spring(self, step: Step) -> Tensor:
        """(cos(W_s, W_t) - cosine)^2 where the cosine is larger, else 0."""
        own, others = step.network.classifier.weight.flatten(), step.parts.get_buffer("weight").flatten()
        beyond = nn.functional.cosine_similarity(own, others, dim=0) - self.cosine
        return beyond.relu().square()
