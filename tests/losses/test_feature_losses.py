"""Losses on maps and features against loops in float64 numpy written from the papers, and the facts they rest on."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import norm
from test_losses import slope
from torch import Tensor

from kdnb import losses
from kdnb.losses.crd import scores
from kdnb.losses.semckd import similarities

Array = np.ndarray
Loss = Callable[[Tensor], Tensor]
B, C, H, W, K, E, M, IMAGES = 3, 4, 2, 3, 5, 4, 6, 40


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---------------------------------------------------------------------------------------------- references, by loops
def mean_square_by_hand(a: Array, b: Array) -> float:
    return sum((x - y) ** 2 for x, y in zip(a.ravel(), b.ravel(), strict=True)) / a.size


def attention_by_hand(stages: list[Array], taught: list[Array]) -> float:
    total = 0.0
    for student, teacher in zip(stages, taught, strict=True):
        gaps = []
        for one, other in zip(student, teacher, strict=True):
            looks = [np.sum(maps**2, axis=0).ravel() for maps in (one, other)]
            here, there = (look / np.sqrt(np.sum(look**2)) for look in looks)
            gaps += list((here - there) ** 2)
        total += float(np.mean(gaps))
    return total


def vid_by_hand(mean: Array, variance: Array, teacher: Array) -> float:
    terms = [
        -norm.logpdf(teacher[b, c, h, w], mean[b, c, h, w], np.sqrt(variance[c])) - np.log(2 * np.pi) / 2
        for b, c, h, w in np.ndindex(*mean.shape)
    ]
    return float(np.mean(terms))


def crd_by_hand(anchors: Array, own: Array, others: Array, allowed: Array, z: float) -> float:
    total = 0.0
    for b, anchor in enumerate(anchors):
        n = allowed[b].sum()
        score = np.exp(anchor @ own[b] / 0.07) / z
        total += np.log(score / (score + n / IMAGES))
        for other in others[allowed[b]]:
            score = np.exp(anchor @ other / 0.07) / z
            total += np.log(1 - score / (score + n / IMAGES))
    return -total / len(anchors)


def calibrated_by_hand(attention: Array, errors: Array) -> float:
    batch, stages, _ = attention.shape
    return sum(attention[i] * errors[i] for i in np.ndindex(*attention.shape)) / (batch * stages)


MAPS, TAUGHT, WEIGHT = drawn(0, B, C, H, W), drawn(1, B, C, H, W), drawn(2, K, E)
VARIANCE, ATTENTION = drawn(3, C).exp(), drawn(4, B, 2, 3).softmax(2)
ANCHORS, OWN, OTHERS = (drawn(seed, n, E) / 10 for seed, n in ((5, B), (6, B), (7, M)))
ALLOWED = torch.tensor([[1, 1, 0, 1, 0, 1], [1, 1, 1, 1, 1, 1], [0, 0, 1, 0, 0, 0]]).bool()


def crd(anchors: Tensor) -> Tensor:
    positive = (anchors * OWN).sum(1).div(0.07).exp()
    return losses.crd(positive / 9, scores(anchors, OTHERS, 0.07) / 9, ALLOWED, IMAGES)


CASES: dict[str, tuple[Loss, Callable[[Array], float], Tensor]] = {
    "hint": (lambda x: losses.hint(x, TAUGHT), lambda x: mean_square_by_hand(x, TAUGHT.numpy()), MAPS),
    "simkd": (lambda x: losses.simkd(x, TAUGHT), lambda x: mean_square_by_hand(x, TAUGHT.numpy()), MAPS),
    "attention": (
        lambda x: losses.attention([x, TAUGHT], [TAUGHT, MAPS]),
        lambda x: attention_by_hand([x, TAUGHT.numpy()], [TAUGHT.numpy(), MAPS.numpy()]),
        MAPS,
    ),
    "vid": (
        lambda x: losses.vid(x, VARIANCE, TAUGHT),
        lambda x: vid_by_hand(x, VARIANCE.numpy(), TAUGHT.numpy()),
        MAPS,
    ),
    "vid's variance": (
        lambda x: losses.vid(MAPS, x, TAUGHT),
        lambda x: vid_by_hand(MAPS.numpy(), x, TAUGHT.numpy()),
        VARIANCE,
    ),
    "srrl": (
        lambda x: losses.squared_difference(x, WEIGHT),
        lambda x: mean_square_by_hand(x, WEIGHT.numpy()),
        drawn(8, K, E),
    ),
    "semckd": (
        lambda x: losses.calibrated(ATTENTION, x),
        lambda x: calibrated_by_hand(ATTENTION.numpy(), x),
        drawn(9, B, 2, 3).square(),
    ),
    "semckd's attention": (
        lambda x: losses.calibrated(x, ATTENTION),
        lambda x: calibrated_by_hand(x, ATTENTION.numpy()),
        drawn(9, B, 2, 3),
    ),
    "crd": (crd, lambda x: crd_by_hand(x, OWN.numpy(), OTHERS.numpy(), ALLOWED.numpy(), 9), ANCHORS),
    "squared mu": (
        lambda x: losses.squared_mu(x, WEIGHT),
        lambda x: mean_square_by_hand(x, WEIGHT.numpy()) * x.size,
        drawn(8, K, E),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_equal_the_reference(name: str) -> None:
    loss, by_hand, at = CASES[name]
    here = at.clone().requires_grad_()
    value = loss(here)
    (gradient,) = torch.autograd.grad(value, here)
    assert value.shape == ()
    assert value.item() == pytest.approx(by_hand(at.numpy()), rel=1e-5)  # CRD's epsilon is worth 1e-6
    np.testing.assert_allclose(gradient.numpy(), slope(by_hand, at.numpy().copy()), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", CASES)
def test_half_precision_is_computed_in_single(name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, _, at = CASES[name]
    for constant in ("TAUGHT", "VARIANCE", "ATTENTION", "WEIGHT", "OWN", "OTHERS", "MAPS"):
        monkeypatch.setitem(globals(), constant, globals()[constant].to(dtype))
    half = at.to(dtype)
    found = loss(half)
    assert found.dtype == torch.float32
    if name != "crd":  # its positive score is computed by the test
        assert torch.equal(found, loss(half.float()))


# -------------------------------------------------------------------------------------------------------------- facts
def test_attention_sees_neither_order_nor_number_of_channels_nor_the_scale_of_an_image() -> None:
    before = losses.attention([MAPS], [TAUGHT])
    order, scale = torch.tensor([2, 0, 3, 1]), torch.tensor([0.1, 5.0, 30.0]).view(B, 1, 1, 1)
    for other in (MAPS[:, order], MAPS.repeat(1, 2, 1, 1), -MAPS, scale * MAPS):
        torch.testing.assert_close(losses.attention([other], [TAUGHT]), before)
    assert losses.attention([MAPS[..., [1, 0, 2]]], [TAUGHT]) != before  # positions it does see


@pytest.mark.parametrize("name", ["hint", "simkd", "attention", "srrl"])
def test_equal_maps_have_no_loss_and_no_pull(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, _, at = CASES[name]
    for constant in ("TAUGHT", "MAPS", "WEIGHT"):
        monkeypatch.setitem(globals(), constant, at)
    here = at.clone().requires_grad_()
    value = loss(here)
    (gradient,) = torch.autograd.grad(value, here)
    assert value == 0 and not gradient.any()


def test_dead_maps_have_a_finite_gradient() -> None:
    here = torch.zeros(B, C, H, W, requires_grad=True)
    losses.attention([here], [torch.rand(B, C, H, W)]).backward()
    assert here.grad is not None and here.grad.isfinite().all()


def test_vid_is_least_at_the_teachers_maps_and_at_the_mean_square_of_what_is_missing() -> None:
    least = losses.vid(TAUGHT, VARIANCE, TAUGHT)
    assert least.item() == pytest.approx(VARIANCE.log().mean().item() / 2)
    assert losses.vid(MAPS, VARIANCE, TAUGHT) > least
    best = (MAPS - TAUGHT).square().mean((0, 2, 3)).requires_grad_()
    (gradient,) = torch.autograd.grad(losses.vid(MAPS, best, TAUGHT), best)
    torch.testing.assert_close(gradient, torch.zeros(C, dtype=torch.float64))


def test_crd_falls_as_an_image_meets_itself_and_leaves_the_others() -> None:
    far = losses.crd(torch.ones(B), torch.ones(B, M), ALLOWED, IMAGES)
    assert losses.crd(torch.full((B,), 2.0), torch.ones(B, M), ALLOWED, IMAGES) < far
    assert losses.crd(torch.ones(B), torch.full((B, M), 0.5), ALLOWED, IMAGES) < far
    own_class = torch.where(ALLOWED, 1.0, 1e6)  # what is of the image's own class does not count
    assert losses.crd(torch.ones(B), own_class, ALLOWED, IMAGES) == far


@pytest.mark.parametrize("with_any", [0, 1])
def test_an_image_without_negatives_has_a_finite_loss(with_any: int) -> None:
    """It costs nothing, moves nothing, and the others move as they do without it."""
    positive, negative = torch.ones(B, requires_grad=True), torch.ones(B, M, requires_grad=True)
    allowed = torch.arange(B)[:, None].expand(B, M) < with_any
    losses.crd(positive, negative, allowed, IMAGES).backward()
    assert positive.grad is not None and positive.grad.isfinite().all()
    assert negative.grad is not None and negative.grad.isfinite().all()
    assert (negative.grad != 0).equal(allowed)
    value = losses.crd(positive[with_any:], negative[with_any:], allowed[with_any:], IMAGES)
    assert value.item() == pytest.approx(0, abs=1e-5)


def test_similarities_and_scores_are_not_rounded_by_autocast() -> None:
    """Inner products of maps reach 1e5 and more: not in half precision, whatever the step around it computes in."""
    maps = 20 * torch.rand(B, 64, 8, 8, generator=torch.Generator().manual_seed(0))
    rows = torch.nn.functional.normalize(maps.flatten(1))
    wanted = np.array([[float((a * b).sum()) for b in maps.double()] for a in maps.double()])
    assert wanted.max() > torch.finfo(torch.float16).max
    with torch.autocast("cpu", torch.bfloat16):
        found, close = similarities(maps), scores(rows, rows, 0.07)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5)
    assert torch.equal(close, scores(rows, rows, 0.07))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: losses.hint(MAPS, TAUGHT[:, :2]),
            r"regressed maps are \(3, 4, 2, 3\) and teacher_maps \(3, 2, 2, 3\)",
        ),
        (lambda: losses.simkd(MAPS, TAUGHT[:1]), r"projected maps are .* teacher_maps \(1, 4, 2, 3\); they must agree"),
        (lambda: losses.squared_difference(MAPS[0], MAPS[0, :1]), r"student are .* they must agree"),
        (lambda: losses.vid(MAPS, VARIANCE, TAUGHT[..., :1]), r"mean are .* they must agree"),
        (lambda: losses.vid(MAPS, VARIANCE[:1], TAUGHT), r"variance is \(1,\); it must have one value a channel, 4"),
        (lambda: losses.attention([MAPS], [TAUGHT[..., :1]]), r"only their channels may differ"),
        (lambda: losses.attention([MAPS], [TAUGHT, TAUGHT]), r"only their channels may differ"),
        (lambda: losses.calibrated(ATTENTION, ATTENTION[:, :1]), r"errors \(3, 1, 3\); both: B x S x S'"),
        (lambda: losses.calibrated(ATTENTION[0], ATTENTION[0]), r"both: B x S x S'"),
        (lambda: losses.crd(torch.ones(2), torch.ones(B, M), ALLOWED, 9), r"must be B, B x N and B x N"),
        (lambda: losses.crd(torch.ones(B), torch.ones(B, 1), ALLOWED, 9), r"must be B, B x N and B x N"),
        (lambda: losses.squared_mu(WEIGHT, WEIGHT.t()), r"both must be \(classes, features\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(call: Callable[[], Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
