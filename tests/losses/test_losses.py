"""The losses against references in float64 numpy written from the equations, and the facts that tell them apart."""

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor

from kdnb import losses

Array = np.ndarray
B, K = 6, 5


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def cross_entropy_by_hand(z: Array, labels: Array) -> float:
    return float(np.mean([-np.log(row[label]) for row, label in zip(softmax(z), labels, strict=True)]))


def kd_by_hand(z: Array, t: Array, temperature: float) -> float:
    p, q = softmax(z / temperature), softmax(t / temperature)
    return float(temperature**2 * np.sum(q * np.log(q / p)) / len(z))


def dist_by_hand(z: Array, t: Array, tau: float, beta: float, gamma: float) -> float:
    p, q = softmax(z / tau), softmax(t / tau)
    inter = 1 - np.mean([np.corrcoef(p[b], q[b])[0, 1] for b in range(len(z))])
    intra = 1 - np.mean([np.corrcoef(p[:, k], q[:, k])[0, 1] for k in range(z.shape[1])])
    return float(tau**2 * (beta * inter + gamma * intra))


def mse_by_hand(z: Array, t: Array) -> float:
    return float(np.sum((z - t) ** 2) / z.size / 2)


def slope(f: Callable[[Array], float], z: Array, step: float = 1e-5) -> Array:
    """Central differences of ``f`` at ``z``."""
    result = np.zeros_like(z)
    for place in np.ndindex(*z.shape):
        shift = np.zeros_like(z)
        shift[place] = step
        result[place] = (f(z + shift) - f(z - shift)) / (2 * step)
    return result


def centred(z: Tensor) -> Tensor:
    return z - z.mean(1, keepdim=True)


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    student = torch.randn(B, K, generator=random, dtype=torch.float64) * 3
    return student.requires_grad_(), torch.randn(B, K, generator=random, dtype=torch.float64) * 3


LABELS = torch.tensor([0, 4, 2, 2, 1, 3])
CASES = {
    "ce": (lambda z, t: losses.cross_entropy(z, LABELS), lambda z, t: cross_entropy_by_hand(z, LABELS.numpy())),
    "kd T=1": (lambda z, t: losses.kd(z, t, 1.0), lambda z, t: kd_by_hand(z, t, 1.0)),
    "kd T=4": (lambda z, t: losses.kd(z, t, 4), lambda z, t: kd_by_hand(z, t, 4.0)),
    "kd T=0.5": (lambda z, t: losses.kd(z, t, 0.5), lambda z, t: kd_by_hand(z, t, 0.5)),
    "dist": (lambda z, t: losses.dist(z, t), lambda z, t: dist_by_hand(z, t, 4.0, 1.0, 1.0)),
    "dist tau=1": (lambda z, t: losses.dist(z, t, 1.0, 2.0, 0.5), lambda z, t: dist_by_hand(z, t, 1.0, 2.0, 0.5)),
    "dist inter": (lambda z, t: losses.dist(z, t, gamma=0.0), lambda z, t: dist_by_hand(z, t, 4.0, 1.0, 0.0)),
    "mse": (losses.mse_logits, mse_by_hand),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_equal_the_reference(name: str, pair: tuple[Tensor, Tensor]) -> None:
    loss, by_hand = CASES[name]
    student, teacher = pair
    value = loss(student, teacher)
    (gradient,) = torch.autograd.grad(value, student)
    z, t = student.detach().numpy(), teacher.numpy()
    assert value.shape == ()
    assert value.item() == pytest.approx(by_hand(z, t), rel=1e-6)  # DIST's eps is worth 1e-7
    np.testing.assert_allclose(gradient.numpy(), slope(lambda x: by_hand(x, t), z), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_autograd_agrees_with_finite_differences(name: str, pair: tuple[Tensor, Tensor]) -> None:
    assert torch.autograd.gradcheck(CASES[name][0], pair)


def test_closed_form_gradients(pair: tuple[Tensor, Tensor]) -> None:
    student, teacher = pair
    z, t, temperature = student.detach().numpy(), teacher.numpy(), 4.0
    wanted = {
        "ce": (softmax(z) - np.eye(K)[LABELS.numpy()]) / B,
        "kd T=4": (softmax(z / temperature) - softmax(t / temperature)) * temperature / B,
        "mse": (z - t) / (B * K),
    }
    for name, gradient in wanted.items():
        (got,) = torch.autograd.grad(CASES[name][0](student, teacher), student)
        np.testing.assert_allclose(got.numpy(), gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["kd T=1", "kd T=4", "dist", "mse"])
def test_a_student_that_equals_its_teacher_has_no_loss_and_no_pull(name: str, pair: tuple[Tensor, Tensor]) -> None:
    loss, (student, _) = CASES[name][0], pair
    value = loss(student, student.detach())
    (gradient,) = torch.autograd.grad(value, student)
    assert abs(value.item()) < 1e-5  # DIST's eps keeps a correlation just below 1
    assert gradient.abs().max() < 1e-6


def test_kd_is_positive_where_they_differ_and_takes_the_teacher_as_reference(pair: tuple[Tensor, Tensor]) -> None:
    student, teacher = pair
    forward, backward = losses.kd(student, teacher, 2.0), losses.kd(teacher, student, 2.0)
    assert forward > 0.1 and backward > 0.1 and abs(forward - backward) > 1e-3


def test_kd_tends_to_the_mse_of_row_centred_logits(pair: tuple[Tensor, Tensor]) -> None:
    student, teacher = pair
    limit = losses.mse_logits(centred(student), centred(teacher))
    far = [abs(losses.kd(student, teacher, t).item() / limit.item() - 1) for t in (1e2, 1e3)]
    assert far[1] < 2e-3
    assert far[0] / far[1] == pytest.approx(10, rel=0.1)  # the error falls like 1/T
    pull, limit_pull = (torch.autograd.grad(x, student)[0] for x in (losses.kd(student, teacher, 1e3), limit))
    torch.testing.assert_close(pull, limit_pull, rtol=0, atol=5e-3 * limit_pull.abs().max().item())


def test_mse_is_its_centred_part_plus_half_the_squared_mean_shift(pair: tuple[Tensor, Tensor]) -> None:
    student, teacher = pair
    shift = (student - teacher).mean(1)
    parts = losses.mse_logits(centred(student), centred(teacher)) + shift.square().mean() / 2
    torch.testing.assert_close(losses.mse_logits(student, teacher), parts)


@pytest.mark.parametrize(("name", "sees_it"), [("ce", False), ("kd T=4", False), ("dist", False), ("mse", True)])
def test_only_mse_sees_a_shift_of_all_logits_of_an_image(name: str, sees_it: bool, pair: tuple[Tensor, Tensor]) -> None:
    loss, (student, teacher) = CASES[name][0], pair
    shifted = student + torch.arange(B)[:, None]
    assert torch.isclose(loss(student, teacher), loss(shifted, teacher), rtol=1e-9) != sees_it


def test_dist_sees_neither_offset_nor_scale_of_probabilities_but_the_scale_of_logits() -> None:
    p = torch.softmax(torch.randn(B, K, generator=torch.Generator().manual_seed(1), dtype=torch.float64), 1)
    flatter = 0.3 * p + 0.7 / K  # a positive affine map of every row and of every column
    z, flat = p.log(), flatter.log()
    assert losses.dist(flat, z, 1.0).item() == pytest.approx(0, abs=1e-5)
    assert losses.kd(flat, z, 1.0) > 1e-2
    assert losses.dist(3 * z, z, 1.0) > 1e-3
    assert losses.dist(z + torch.arange(K), z, 1.0) > 1e-2  # a shift of one class in all images


def test_dist_scales_with_the_square_of_tau_and_its_parts_add_up(pair: tuple[Tensor, Tensor]) -> None:
    student, teacher = pair
    both = losses.dist(student, teacher, 4.0, 2.0, 3.0)
    parts = 2 * losses.dist(student, teacher, 4.0, 1.0, 0.0) + 3 * losses.dist(student, teacher, 4.0, 0.0, 1.0)
    torch.testing.assert_close(both, parts)
    torch.testing.assert_close(losses.dist(2 * student, 2 * teacher, 4.0), 4 * losses.dist(student, teacher, 2.0))


def test_equal_predictions_give_dist_a_finite_gradient() -> None:
    student = torch.zeros(4, 3, requires_grad=True)  # every row and column constant: norms are zero
    value = losses.dist(student, torch.randn(4, 3))
    value.backward()
    assert value.item() == pytest.approx(2 * 16)
    assert student.grad is not None and torch.isfinite(student.grad).all()


def test_losses_do_not_depend_on_the_number_of_repeats_of_a_batch(pair: tuple[Tensor, Tensor]) -> None:
    student, teacher = pair
    for name in ("kd T=4", "dist", "mse"):
        loss = CASES[name][0]
        torch.testing.assert_close(loss(student.repeat(3, 1), teacher.repeat(3, 1)), loss(student, teacher))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_lose_nothing_but_their_own_rounding(dtype: torch.dtype) -> None:
    random = torch.Generator().manual_seed(2)
    z, t = (torch.randn(B, K, generator=random).to(dtype) for _ in range(2))
    for name in ("ce", "kd T=4", "dist", "mse"):
        loss = CASES[name][0]
        assert loss(z, t).dtype == torch.float32
        assert torch.equal(loss(z, t), loss(z.float(), t))


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "4", None, True, torch.tensor(4.0)])
@pytest.mark.parametrize("loss", [losses.kd, losses.dist])
def test_temperature_must_be_a_finite_number_above_zero(loss: Callable[..., Tensor], value: object) -> None:
    z = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="temperature is .* must be a finite number above 0"):
        loss(z, z, value)


@pytest.mark.parametrize(("weights", "name"), [((-1.0, 1.0), "beta"), ((1.0, float("inf")), "gamma")])
def test_dist_refuses_weights_below_zero_or_infinite(weights: tuple[float, float], name: str) -> None:
    z = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=f"{name} is .*; it must be a finite number of at least 0"):
        losses.dist(z, z, 4.0, *weights)


def test_shapes_must_agree() -> None:
    z = torch.zeros(4, 3)
    for name in ("kd T=4", "dist", "mse"):
        for other in (torch.zeros(4, 2), torch.zeros(1, 3)):  # what broadcasting would let pass, too
            with pytest.raises(ValueError, match=r"student_logits are \(4, 3\) and teacher_logits \(\d, \d\)"):
                CASES[name][0](z, other)
        with pytest.raises(ValueError, match=r"must be \(batch, classes\)"):
            CASES[name][0](z[0], z[0])
    with pytest.raises(ValueError, match=r"labels \(6,\)"):
        losses.cross_entropy(z, LABELS)


# The range of temperatures.


def kd_exactly(z: Tensor, t: Tensor, temperature: float) -> tuple[float, list[list[float]]]:
    """KD and its gradient on z from the equation, in 80 decimal digits."""
    with mpmath.workdps(80):
        value, gradient = mpmath.mpf(0), []
        for student, teacher in zip(z.tolist(), t.tolist(), strict=True):
            scaled = [[mpmath.mpf(entry) / temperature for entry in row] for row in (student, teacher)]
            logs = [max(row) + mpmath.log(sum(mpmath.exp(v - max(row)) for v in row)) for row in scaled]
            log_q, log_p = ([v - log for v in row] for row, log in zip(scaled, logs, strict=True))
            p, q = ([mpmath.exp(v) for v in row] for row in (log_p, log_q))
            value += sum(a * (log_a - log_b) for a, log_a, log_b in zip(p, log_p, log_q, strict=True))
            gradient.append([float((b - a) * temperature / len(z)) for a, b in zip(p, q, strict=True)])
        return float(value * temperature**2 / len(z)), gradient


@pytest.mark.parametrize("apart", [1.0, 1e-3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("temperature", [1e-30, 1e-10, 1e-3, 0.1, 1.0, 4.0, 100.0, 1e4, 1e5, 1e6])
def test_kd_is_right_at_every_temperature_it_accepts(temperature: float, dtype: torch.dtype, apart: float) -> None:
    random = torch.Generator().manual_seed(3)
    t = 3 * torch.randn(B, K, generator=random, dtype=torch.float64)
    z, t = (t + 3 * apart * torch.randn(B, K, generator=random, dtype=torch.float64)).to(dtype), t.to(dtype)
    wanted, slopes = kd_exactly(z, t, temperature)
    value = losses.kd(z.requires_grad_(), t, temperature)
    (gradient,) = torch.autograd.grad(value, z)
    digits = 1e-12 if dtype == torch.float64 else 1e-6
    smallest = 1e-37  # below single precision's range: none
    assert value.item() == pytest.approx(wanted, rel=digits, abs=smallest) and value.item() >= 0
    rounding = 4e-3 if dtype == torch.bfloat16 else digits  # a gradient has the type of its logits
    largest = max(abs(slope) for row in slopes for slope in row)
    np.testing.assert_allclose(gradient.double().numpy(), slopes, rtol=0, atol=max(rounding * largest, smallest))


@pytest.mark.parametrize("temperature", [1e-30, 0.1, 1e6])
def test_kd_without_t_squared_is_the_bare_divergence(temperature: float, pair: tuple[Tensor, Tensor]) -> None:
    student, teacher = (z.detach().float() for z in pair)
    whole, bare = (
        losses.kd(student.requires_grad_(), teacher, temperature, squared=squared) for squared in (True, False)
    )
    assert whole.item() / temperature / temperature == pytest.approx(bare.item(), rel=1e-5)
    (pull,) = torch.autograd.grad(bare, student)
    assert torch.isfinite(pull).all() and pull.abs().max() > 0


def test_an_improbable_class_far_off_among_near_ones_keeps_kds_digits() -> None:
    t = torch.tensor([[0.0, 0.0, -23.0], [0.0, 1.0, -60.0]])
    z = torch.tensor([[1e-5, 0.0, -22.0], [0.0, 1.0, 60.0]])
    wanted, _ = kd_exactly(z, t, 1.0)
    assert losses.kd(z, t, 1.0).item() == pytest.approx(wanted, rel=1e-6)
    assert losses.kd(z[:1], t[:1], 1.0).item() == pytest.approx(kd_exactly(z[:1], t[:1], 1.0)[0], rel=1e-5)


@pytest.mark.parametrize("loss", [losses.kd, losses.dist])
@pytest.mark.parametrize("temperature", [1e-31, 1.0000001e6])
def test_temperatures_outside_single_precision_are_refused_with_the_reason(
    loss: Callable[..., Tensor], temperature: float
) -> None:
    z = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="temperature is .*; it must be .* from .* to .*single precision"):
        loss(z, z, temperature)


@pytest.mark.parametrize("temperature", [1e-2, 0.1, 4.0, 1e3])
def test_dist_in_single_precision_is_right_wherever_it_is_accepted(temperature: float) -> None:
    random = torch.Generator().manual_seed(4)
    t = 3 * torch.randn(64, 10, generator=random)
    z = (t + torch.randn(64, 10, generator=random)).requires_grad_()
    value = losses.dist(z, t, temperature)
    exact = losses.dist(z.double(), t.double(), temperature)
    assert value.item() == pytest.approx(exact.item(), rel=1e-4)
    got, wanted = (torch.autograd.grad(each, z)[0] for each in (value, exact))
    assert (got - wanted).abs().max() <= 1e-3 * wanted.abs().max()


@pytest.mark.parametrize("temperature", [9e-3, 1.1e3])
def test_dist_refuses_temperatures_at_which_it_sees_nothing(temperature: float) -> None:
    with pytest.raises(ValueError, match="from 0.01 to 1000"):
        losses.dist(torch.zeros(2, 3), torch.zeros(2, 3), temperature)
