"""One network in training: parameters, optimiser, account and history, from one checkpoint to the next."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from kdnb import device as devices
from kdnb import methods
from kdnb.measure import history
from kdnb.measure.account import Account, gradient_of
from kdnb.measure.history import Reference, Row
from kdnb.measure.outputs import Outputs
from kdnb.methods.base import Step
from kdnb.models import Output
from kdnb.runs import Checkpoint, Run
from kdnb.train.loss_scale import LossScale
from kdnb.train.student import Student


class Batch(NamedTuple):
    """Images B x C x S x S, labels B, which training images these are (B), the teacher's outputs where needed."""

    images: Tensor
    labels: Tensor
    indices: Tensor
    teacher: Output | None


class Learner:
    """The student of ``run`` (or a teacher in training), where its last checkpoint left it.

    ``references``: the teacher, then the bystander if there is one; empty for a teacher in training.
    """

    def __init__(self, run: Run, student: Student, device: torch.device, references: Sequence[Reference]) -> None:
        spec = run.spec
        self.run, self.spec, self.device, self.references = run, spec, device, references
        self.student = student.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.method, self.network, self.parts = student.method, student.network, student.parts
        # A tensor, since a captured step would keep a number as it was; the account shares it.
        self.learning_rate = torch.tensor(spec.learning_rate, device=device)
        self.optimizer = self._optimizer()
        self.loss_scale = LossScale(device) if spec.precision == "fp16" else None
        self.account = self._account() if references and self.network.classifier.weight.requires_grad else None
        # loss terms, correct answers, images: summed on the device, read once an epoch
        self.sums = torch.zeros(len(self.method.term_names) + 2, device=device)
        self.finite = torch.zeros(len(self.method.term_names), device=device)  # in how many steps each term was
        self.history: list[Row] = []
        self.fault: methods.Fault | None = None  # what a step of this epoch raised; its run goes no further
        self._resume()

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.history)

    def _optimizer(self) -> torch.optim.SGD:
        spec, parameters = self.spec, [p for _, p in self._trained()]
        optimizer = torch.optim.SGD(
            parameters,
            lr=self.learning_rate,
            momentum=spec.momentum,
            nesterov=spec.nesterov,
            weight_decay=spec.weight_decay,
            fused=True,  # one kernel for all weights, and the only one that asks the device whether to leave a step out
        )
        for parameter in parameters:  # zeros are what the first step starts from; so checkpoints always have them
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return optimizer

    def _trained(self) -> list[tuple[str, Tensor]]:
        """What the optimiser moves, by the names that checkpoints use: the network's weights, then the method's own."""
        everything = [*self.network.named_parameters(), *self.parts.named_parameters("parts")]
        return [(name, parameter) for name, parameter in everything if parameter.requires_grad]

    def _account(self) -> Account:
        weight = self.network.classifier.weight
        known = [reference.weight.to(weight) for reference in self.references]
        return Account(
            weight,
            torch.stack([*known, torch.zeros_like(weight)]).detach(),
            self.method.term_names,
            self.learning_rate,
            momentum=self.spec.momentum,
            nesterov=self.spec.nesterov,
            weight_decay=self.spec.weight_decay,
        )

    def state(self) -> dict[str, Tensor]:
        """Every tensor that a resumption needs, by name; the tensors themselves, not copies."""
        momenta = {name: self.optimizer.state[p]["momentum_buffer"] for name, p in self._trained()}
        return {
            **{f"network.{name}": tensor for name, tensor in self.network.state_dict().items()},
            **{f"parts.{name}": tensor for name, tensor in self.parts.state_dict().items()},
            **{f"momentum.{name}": tensor for name, tensor in momenta.items()},
            **(self.account.state() if self.account else {}),
            **(self.loss_scale.state() if self.loss_scale else {}),
        }

    def changing(self) -> list[Tensor]:
        """Every tensor that a step changes."""
        sums = [self.account.pulls, self.account.spread, self.account.before] if self.account else []
        return [*self.state().values(), self.sums, self.finite, *sums]

    @torch.no_grad()
    def _resume(self) -> None:
        checkpoint = self.run.read_checkpoint()
        if checkpoint is None:
            return
        self.run.check_trace(len(checkpoint.history))
        state = self.state()
        if lost := [name for name in state if name not in checkpoint.tensors]:
            raise ValueError(
                f"the checkpoint of {self.run.path} lacks {', '.join(lost)}: another version of kdnb wrote it. Go on "
                "with that one (its commit is in provenance.json), or move that folder away to train the run anew."
            )
        self.history = checkpoint.history
        for name, tensor in state.items():
            tensor.copy_(checkpoint.tensors[name])

    def begin_epoch(self) -> None:
        """Set the epoch's learning rate and start the sums anew."""
        self.learning_rate.fill_(self.spec.lr_at(self.epoch + 1))
        self.sums.zero_()
        self.finite.zero_()
        if self.account:
            self.account.begin_epoch()

    def attempt(self, batch: Batch) -> None:
        """A :meth:`step`, unless an earlier one failed: what a method's code raises is :attr:`fault`, not raised."""
        if self.fault is not None:
            return
        try:
            self.step(batch)
        except Exception as error:  # a stranger's code may raise anything
            if devices.is_to_blame(error):
                raise
            said = f"{methods.fault(self.spec.method, error)}".rstrip(".")
            self.fault = methods.Fault(f"{self.run.path.name}: {said} in epoch {self.epoch + 1}. {self._kept}.")

    def step(self, batch: Batch) -> None:
        """One step of SGD on a batch."""
        images, labels = batch.images, batch.labels
        with devices.autocast(self.device, self.spec.precision):
            student = self.student(images)
            seen = Step(student, batch.teacher, labels, batch.indices, self.network, self.parts)
            terms = methods.terms(self.method, seen)
        values = torch.stack(terms)
        # Before the one pass that all terms share, since it frees what they are computed from.
        by_term = [gradient_of(term, self.account.weight) for term in terms] if self.account else []
        overflow = self._backward(values.sum())
        if self.account:
            self.account.before_step(by_term, overflow)
        self.optimizer.step()
        if self.account:
            self.account.after_step()
        with torch.no_grad():
            correct = (student.logits.argmax(1) == labels).sum()
            self.sums[:-2] += values * len(labels)
            self.sums[-2] += correct
            self.sums[-1] += len(labels)
            self.finite += values.isfinite()

    def _backward(self, loss: Tensor) -> Tensor | None:
        """Fill the gradients; with loss scaling: whether one overflowed (1.0), so that the step will be left out."""
        self.optimizer.zero_grad()
        if self.loss_scale is None:
            loss.backward()
            return None
        (loss * self.loss_scale.scale).backward()
        overflow = self.loss_scale.unscale([p.grad for _, p in self._trained() if p.grad is not None])
        self.optimizer.found_inf = overflow  # type: ignore[attr-defined]  # read by the fused optimiser
        return overflow

    def trained_row(self) -> Row:
        """The part of the epoch's row that training itself gives; FloatingPointError when a loss is not finite.

        Fault when a step failed.
        """
        if self.fault is not None:
            raise self.fault
        *terms, correct, images = self.sums.tolist()
        losses = {f"loss_{name}": value / images for name, value in zip(self.method.term_names, terms, strict=True)}
        steps = dict(zip(losses, self.finite.tolist(), strict=True))  # after the first nan all weights are nan
        if wrong := [name for name, value in losses.items() if not math.isfinite(value)]:
            first = min(wrong, key=lambda name: steps[name])
            raise self._diverged(f"{first} is {losses[first]}")
        if not all(bool(tensor.isfinite().all()) for _, tensor in self._trained()):
            raise self._diverged("after the last step a weight is not finite")
        prefixes = [*history.PREFIXES[: len(self.references)], "length_"]
        start = {"epoch": self.epoch + 1, "lr": self.spec.lr_at(self.epoch + 1), "loss": sum(losses.values())}
        account = self.account.columns(prefixes) if self.account else {}
        return {**start, **losses, "train_accuracy": correct / images, **account}

    @property
    def _kept(self) -> str:
        return f"The checkpoint of epoch {self.epoch} is kept" if self.epoch else "No epoch of it is stored"

    def _diverged(self, what: str) -> FloatingPointError:
        ways = ["a lower learning_rate"]
        ways += ["a smaller weight"] if "weight" in self.spec.method_parameters else []
        ways += ["precision='fp32'"] if self.spec.precision != "fp32" else []
        return FloatingPointError(
            f"{self.run.path.name}: {what} in epoch {self.epoch + 1}. {self._kept}; {' or '.join(ways)} may help."
        )

    def _check_outputs(self, **outputs: Outputs) -> None:
        """FloatingPointError for features or logits that are not finite, or whose squares are not: as lengths ask."""
        for images, found in outputs.items():
            for name in ("features", "logits"):
                values: Tensor = getattr(found, name)
                if not bool(values.square().sum().isfinite()):
                    reach = f"its {name} reach {float(values.abs().max()):.3g} on {images} images"
                    raise self._diverged(f"{reach} and cannot be measured")

    def end_epoch(self, trained: Row, test: Outputs, clean: Outputs) -> None:
        """Complete the epoch's row and store it with the state: from here on, this epoch cannot be lost.

        FloatingPointError, and nothing stored, where the outputs are not finite: weights may be, and they not.
        """
        self._check_outputs(test=test, clean=clean)
        head = self.network.classifier
        weight, bias = head.weight.detach().cpu(), head.bias.detach().cpu()
        row = trained | history.quality(weight, bias, test, clean)
        for prefix, reference in zip(history.PREFIXES, self.references, strict=False):
            found = history.likeness(test, reference)
            if self.method.mu_is_defined:
                found |= history.alignment(weight, bias, test, clean, reference)
            row |= {prefix + column: value for column, value in found.items()}
        epoch, column, threshold = int(row["epoch"]), self.spec.matched_on, self.spec.matched_accuracy
        if row[column] >= threshold and all(earlier[column] < threshold for earlier in self.history):
            self.run.write_snapshot("matched", test, clean, epoch)
        self.run.write_trace(epoch, weight, bias)
        rows = [*self.history, row]
        self.run.write_checkpoint(Checkpoint(self.state(), rows))
        self.history = rows  # now the epoch counts
        if epoch == self.spec.epochs:
            self.finish(test, clean)

    def finish(self, test: Outputs, clean: Outputs) -> None:
        """Store the finished run."""
        self.run.write_snapshot("final", test, clean, self.epoch)
        parts = {f"parts.{name}": tensor for name, tensor in self.parts.state_dict().items()}
        self.run.finish(self.network.state_dict() | parts, self.history)
