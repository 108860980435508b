"""The account of mu balances, and splits the step as a bookkeeper with one optimiser for each term would."""

import numpy as np
import pytest
import torch
from conftest import Train
from torch import Tensor

from kdnb.measure.account import Account
from kdnb.methods import maps
from kdnb.runs import Run

TERMS = ("ce", "kd")


def logit_gradients(logits: Tensor, labels: Tensor, target: Tensor) -> list[Tensor]:
    """Of 0.1 CE + 0.9 KL, batch mean inside, in closed form."""
    p, batch = torch.softmax(logits, 1), len(logits)
    onehot = torch.nn.functional.one_hot(labels, logits.shape[1]).to(p)
    return [0.1 * (p - onehot) / batch, 0.9 * (p - target) / batch]


@pytest.mark.parametrize("nesterov", [True, False])
def test_each_term_moves_mu_as_in_a_book_kept_apart(nesterov: bool) -> None:
    """Twelve steps of torch's SGD against float64 bookkeeping, one momentum buffer a term, lr changing on the way."""
    rng = torch.Generator().manual_seed(0)
    classes, width, momentum, decay = 5, 7, 0.9, 0.01
    weight = torch.randn(classes, width, generator=rng).requires_grad_()
    references = torch.randn(2, classes, width, generator=rng)
    rate = torch.tensor(0.1)
    optimizer = torch.optim.SGD([weight], lr=rate, momentum=momentum, nesterov=nesterov, weight_decay=decay, fused=True)
    account = Account(weight, references, TERMS, rate, momentum=momentum, nesterov=nesterov, weight_decay=decay)
    start = weight.detach().double().clone()
    buffers = [torch.zeros(classes, width, dtype=torch.float64) for _ in range(3)]
    pulls, spread = np.zeros((2, 3)), 0.0
    for step in range(12):
        rate.fill_(0.1 if step < 6 else 0.02)
        features = torch.rand(9, width, generator=rng)
        labels = torch.randint(classes, (9,), generator=rng)
        target = torch.softmax(torch.randn(9, classes, generator=rng), 1)
        by_term = logit_gradients((features @ weight.t()).detach(), labels, target)
        before = weight.detach().double().clone()
        gradients = [g.double().t() @ features.double() for g in by_term] + [decay * before]
        for k, gradient in enumerate(gradients):
            buffers[k] = momentum * buffers[k] + gradient
            update = -float(rate) * (gradient + momentum * buffers[k] if nesterov else buffers[k])
            for r in range(2):
                pulls[r, k] += 2 * float((update * (before - references[r].double())).sum())
        account.before_step([g.t() @ features for g in by_term])
        weight.grad = sum(g.t() @ features for g in by_term)
        optimizer.step()
        account.after_step()
        spread += float((weight.detach().double() - before).square().sum())
    columns = account.columns(["", "bystander_"])
    for r, prefix in enumerate(["", "bystander_"]):
        for k, term in enumerate([*TERMS, "decay"]):
            assert columns[f"{prefix}pull_{term}"] == pytest.approx(pulls[r, k], rel=1e-5, abs=1e-6)
        moved = (weight.detach().double() - references[r]).square().sum() - (start - references[r]).square().sum()
        total = sum(columns[f"{prefix}pull_{term}"] for term in [*TERMS, "decay"]) + columns["spread"]
        assert total == pytest.approx(float(moved), rel=1e-5)
    assert columns["spread"] == pytest.approx(spread, rel=1e-6)


def test_a_wrong_split_does_not_balance() -> None:
    """Forgetting the decay leaves a residual far above rounding: the balance can fail."""
    weight = torch.ones(3, 4, requires_grad=True)
    rate = torch.tensor(0.1)
    account = Account(weight, torch.zeros(1, 3, 4), ("ce",), rate, momentum=0.0, nesterov=False, weight_decay=0.0)
    gradient, features = torch.full((2, 3), 0.1), torch.ones(2, 4)
    account.before_step([gradient.t() @ features])
    with torch.no_grad():
        weight -= 0.1 * (gradient.t() @ features + 0.5 * weight)
    account.after_step()
    assert abs(account.columns([""])["account_residual"]) > 0.1


def test_what_no_term_reaches_is_not_decayed_and_the_account_says_so() -> None:
    """Torch's SGD passes over a weight without gradient, decay and momentum included, and goes on from there."""
    torch.manual_seed(0)
    weight, rate, how = torch.randn(3, 4).requires_grad_(), torch.tensor(0.1), {"momentum": 0.9, "nesterov": True}
    optimizer = torch.optim.SGD([weight], lr=rate, weight_decay=0.1, fused=True, **how)  # type: ignore[arg-type]
    account = Account(weight, torch.zeros(1, 3, 4), TERMS, rate, weight_decay=0.1, **how)  # type: ignore[arg-type]
    for reached in (True, False, True, False):
        before, gradient = weight.detach().clone(), torch.randn(3, 4) if reached else None
        account.before_step([gradient, None])
        weight.grad = gradient
        optimizer.step()
        account.after_step()
        assert torch.equal(before, weight) != reached
    assert abs(account.columns([""])["account_residual"]) < 1e-5


def test_a_method_that_does_not_train_its_classifier_balances(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "own_cross_entropy", lambda step: step.student.features.mean())
    (run,) = train(methods=["straight"], teacher_outputs="live")
    assert (np.ptp(run.trace()[0], axis=0) == 0).all() and (run.history["loss_ce"] > 0).all()
    assert (run.history[["pull_decay", "spread"]] == 0).all(axis=None)
    assert (run.history["account_residual"].abs() < 1e-6).all()


def test_it_balances_on_every_epoch_of_real_runs(tiny_runs: list[Run]) -> None:
    """d(mu^2) from the stored trace equals pulls plus spread, for teacher and bystander; residual against mu^2."""
    for run in tiny_runs:
        history = run.history
        for prefix, column in (("", "mu_raw"), ("bystander_", "bystander_mu_raw")):
            pulls = [name for name in history if name.startswith(f"{prefix}pull_")]
            assert len(pulls) == (2 if run.spec.method == "normal" else 3)
            predicted = history[pulls].sum(axis=1) + history["spread"]
            moved = (history[column] ** 2).diff()
            np.testing.assert_allclose(predicted[1:], moved[1:], atol=3e-6 * (history[column] ** 2).max())
            assert (history[f"{prefix}account_residual"].abs() < 3e-6 * history[column] ** 2).all()
