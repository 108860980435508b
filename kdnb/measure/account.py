"""The account of mu: which loss term, decay or plain noise moved the classifier towards a reference, exactly.

For a loss term k that sees the classifier through the logits, with logit gradient g_k = dL_k/dz (batch mean inside),
the gradient on the classifier is G_k = g_k^T f: no pass through the network. SGD with momentum is linear, so every
term, and weight decay, carries its own momentum buffer and the step splits: dW = sum_k u_k. Then, for
mu^2 = ||W - R||^2 with any fixed R,

    d(mu^2) = 2 sum_k <u_k, W - R> + ||dW||^2,

the pull of each term and the spread; summed over the steps of an epoch it balances to rounding.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def gradient_of(term: Tensor, weight: Tensor) -> Tensor | None:
    """A loss term's own gradient on the classifier: through the logits it is one product, no other layer is asked.

    None where it does not reach the classifier, or is a constant for once. The term's graph is kept.
    """
    if not term.requires_grad:
        return None
    return torch.autograd.grad(term, weight, retain_graph=True, allow_unused=True)[0]


class Account:
    """Running account of one classifier W (K x D) against R reference classifiers (R x K x D).

    ``learning_rate`` is a scalar tensor that the caller keeps up to date. Nothing here synchronises with the host.
    Sums are float64 where the device has it.
    """

    def __init__(
        self,
        weight: Tensor,
        references: Tensor,
        terms: Sequence[str],
        learning_rate: Tensor,
        *,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
    ) -> None:
        exact = torch.float32 if weight.device.type == "mps" else torch.float64
        self.terms = [*terms, "decay"]
        self.weight, self.learning_rate = weight, learning_rate
        self.momentum, self.nesterov, self.weight_decay = momentum, nesterov, weight_decay
        self.references = references.to(weight.device, exact)
        self.buffers = weight.new_zeros((len(self.terms), *weight.shape))
        self.pulls = self.references.new_zeros((len(references), len(self.terms)))
        self.spread = self.references.new_zeros(())
        self.before = weight.detach().clone()
        self.start = self.squared_mu()

    def squared_mu(self) -> Tensor:
        """mu^2 to each reference, R values."""
        return (self.weight.detach().to(self.references) - self.references).square().sum((1, 2))

    @torch.no_grad()
    def before_step(self, gradients: Sequence[Tensor | None], overflow: Tensor | None = None) -> None:
        """Split the coming step: ``gradients`` of the terms on the classifier (K x D), in the order of the terms.

        None: of a term that does not reach it. Where none does, SGD leaves it alone, decay and momentum included.
        ``overflow``: a scalar, 1.0 when the step will be left out, as loss scaling does.
        """
        self.before.copy_(self.weight)
        if all(gradient is None for gradient in gradients):
            return
        reached = [torch.zeros_like(self.weight) if gradient is None else gradient for gradient in gradients]
        gradient = torch.stack([*reached, self.weight_decay * self.weight])
        buffers = self.momentum * self.buffers + gradient
        # As torch.optim.SGD does it without dampening: Nesterov looks ahead along the new momentum.
        direction = gradient + self.momentum * buffers if self.nesterov else buffers
        if overflow is not None:
            buffers = torch.where(overflow > 0, self.buffers, buffers)
            direction = torch.where(overflow > 0, 0.0, direction)
        self.buffers.copy_(buffers)
        steps = (-self.learning_rate * direction).to(self.references)
        offsets = self.before.to(self.references) - self.references
        self.pulls += 2 * torch.einsum("tkd,rkd->rt", steps, offsets)

    @torch.no_grad()
    def after_step(self) -> None:
        """Add the spread ||dW||^2 of the step just taken."""
        self.spread += (self.weight.to(self.references) - self.before.to(self.references)).square().sum()

    def begin_epoch(self) -> None:
        """Start the sums anew."""
        self.pulls.zero_()
        self.spread.zero_()
        self.start.copy_(self.squared_mu())

    def columns(self, prefixes: Sequence[str]) -> dict[str, float]:
        """The epoch's account, one set of ``<prefix>pull_<term>`` and ``<prefix>account_residual`` a reference."""
        residuals = (self.squared_mu() - self.start - self.pulls.sum(1) - self.spread).tolist()
        result = {"spread": float(self.spread)}
        for prefix, pulls, residual in zip(prefixes, self.pulls.tolist(), residuals, strict=True):
            result |= {f"{prefix}pull_{term}": pull for term, pull in zip(self.terms, pulls, strict=True)}
            result[f"{prefix}account_residual"] = residual
        return result

    def state(self) -> dict[str, Tensor]:
        """Tensors that a resumption needs (between epochs)."""
        return {"account.buffers": self.buffers}
