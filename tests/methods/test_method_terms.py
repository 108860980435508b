"""What methods make of a batch: their parts and terms against the papers, before anything is trained."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from kdnb import losses, methods, models
from kdnb.methods.base import Method, Setting, Step
from kdnb.methods.crd import Contrast
from kdnb.methods.semckd import Calibration
from kdnb.models import Output

BATCH, IMAGES, CLASSES = 8, 40, 5
MAPS = ["at", "fitnet", "vid", "semckd", "simkd", "projected", "straight"]


@pytest.fixture(autouse=True)
def seed() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def begun(text: str, batch: int = BATCH) -> tuple[Method, Step]:
    """A fresh student of ``text`` (resnet8), one batch of random pictures, and two more resnet8 as teachers."""
    network, teacher, bystander = (models.create("resnet8", CLASSES, 1) for _ in range(3))
    teacher.eval().requires_grad_(False)
    image, images = torch.randn(1, 1, 8, 8), torch.randn(batch, 1, 8, 8)
    labels, indices = torch.arange(IMAGES) % CLASSES, torch.randperm(IMAGES)[:batch]
    name, parameters = methods.parse(text)
    method = methods.create(name, parameters)
    parts = method.begin(network, Setting(network.eval()(image), teacher(image), teacher, labels, BATCH, bystander))
    output = method.predict(network.train(), images, parts)
    return method, Step(output, teacher(images), labels[indices], indices, network, parts)


def terms(text: str) -> tuple[dict[str, float], Step]:
    method, step = begun(text)
    return {name: term.item() for name, term in method.terms(step).items()}, step


# ------------------------------------------------------------------------------------------------------ each method
@pytest.mark.parametrize("text", ["fitnet", "fitnet:stage=1,weight=3"])
def test_fitnet_regresses_the_maps_of_one_stage(text: str) -> None:
    found, step = terms(text)
    stage, weight = (1, 3) if "stage" in text else (2, 100)
    convolution, normalise, rectify = step.parts.children()
    regressed = rectify(normalise(convolution(step.student.maps[stage])))
    expected = weight * F.mse_loss(regressed, step.taught.maps[stage])
    assert found["hint"] == pytest.approx(expected.item())


def test_attention_is_of_the_three_stages() -> None:
    found, step = terms("at")
    expected = [losses.attention([s], [t]) for s, t in zip(step.student.maps[1:], step.taught.maps[1:], strict=True)]
    assert found["at"] == pytest.approx(1000 * torch.stack(expected).sum().item())


def test_vid_starts_at_its_variance_and_sums_the_stages() -> None:
    found, step = terms("vid")
    total = 0.0
    for gaussian, student, teacher in zip(step.parts, step.student.maps[1:], step.taught.maps[1:], strict=True):
        mean, variance = gaussian(student)
        torch.testing.assert_close(variance, torch.full((len(variance),), 5.0))
        total += ((mean - teacher).square() / 5 + np.log(5)).mean().item() / 2
    assert found["vid"] == pytest.approx(total, rel=1e-5)
    assert all(parameter.requires_grad for parameter in step.parts.parameters())


def test_srrl_asks_the_teachers_classifier_alone() -> None:
    found, step = terms("srrl")
    features = step.parts.connect(step.student.maps[-1]).mean((2, 3))
    judged = features @ step.parts.weight.t() + step.parts.bias
    assert found["features"] == pytest.approx(float(F.mse_loss(features, step.taught.features)))
    assert found["regression"] == pytest.approx(float(F.mse_loss(judged, step.taught.logits)), rel=1e-5)


def test_srrls_regression_does_not_depend_on_the_students_classifier() -> None:
    method, step = begun("srrl")
    here = method.terms(step)
    head = step.network.classifier.weight
    for name, pulled in (("ce", True), ("features", False), ("regression", False)):
        (gradient,) = torch.autograd.grad(here[name], head, retain_graph=True, allow_unused=True)
        assert (gradient is not None) == pulled
    other = step.student._replace(logits=torch.randn(BATCH, CLASSES))
    there = method.terms(replace(step, student=other))
    assert there["regression"] == here["regression"] and there["ce"] != here["ce"]


@pytest.mark.parametrize(("text", "middle"), [("simkd", 32), ("simkd:factor=4", 16), ("simkd:factor=1000", 1)])
def test_simkds_projector_narrows_by_its_factor(text: str, middle: int) -> None:
    _, step = begun(text)
    shapes = [tuple(m.weight.shape) for m in step.parts.modules() if isinstance(m, nn.Conv2d)]
    assert shapes == [(middle, 64, 1, 1), (middle, middle, 3, 3), (64, middle, 1, 1)]


def test_simkd_at_zero_loss_gives_the_teachers_logits() -> None:
    """A projector that reproduces the teacher's maps: nothing is left to learn, and the answers are the teacher's."""
    method, step = begun("simkd")

    class Rigged(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            return step.taught.maps[-1]

    output = method.predict(step.network, torch.randn(BATCH, 1, 8, 8), Rigged())
    assert method.terms(replace(step, student=output))["simkd"] == 0
    assert torch.equal(output.logits, step.taught.logits) and torch.equal(output.features, step.taught.features)


def test_simkd_learns_without_labels_and_leaves_the_classifier_alone() -> None:
    method, step = begun("simkd")
    (loss,) = method.terms(step).values()
    loss.backward()
    trained = [*step.network.named_parameters(), *step.parts.named_parameters()]
    assert {name for name, p in trained if p.grad is None} == {"classifier.weight", "classifier.bias"}
    assert method.terms(replace(step, labels=torch.zeros_like(step.labels)))["simkd"] == loss


# ------------------------------------------------------------------------------------------------------------ SemCKD
def test_semckds_attention_is_a_share_of_the_teachers_stages() -> None:
    _, step = begun("semckd")
    assert isinstance(step.parts, Calibration)
    attention = step.parts.attention(step.student.maps[1:], step.taught.maps[1:])
    assert attention.shape == (BATCH, 3, 3) and (attention > 0).all()
    torch.testing.assert_close(attention.sum(2), torch.ones(BATCH, 3))
    assert attention.std(0).max() > 0  # it differs from image to image


@pytest.mark.parametrize("batch", [BATCH, 5])
def test_semckd_equals_a_loop_over_images_and_stages(batch: int) -> None:
    """With a smaller last batch, too: its similarities are filled up with zeros."""
    method, step = begun("semckd", batch)
    parts, student, teacher = step.parts, step.student.maps[1:], step.taught.maps[1:]
    assert isinstance(parts, Calibration)
    queries, keys = (_embedded(e, m) for e, m in ((parts.queries, student), (parts.keys, teacher)))
    total = 0.0
    for i, s in enumerate(student):
        gaps = [_gaps(parts.projectors[3 * i + j], s, t) for j, t in enumerate(teacher)]
        for b in range(batch):
            e = np.exp([float(queries[i][b] @ key[b]) for key in keys])
            total += sum(float(share * gap[b]) for share, gap in zip(e / e.sum(), gaps, strict=True))
    found = method.terms(step)
    assert float(found["semckd"]) == pytest.approx(400 * total / (batch * 3), rel=1e-4)
    assert float(found["kd"]) == pytest.approx(float(losses.kd(step.student.logits, step.taught.logits, 4.0)))


def _embedded(embeds: Any, stages: tuple[Tensor, ...]) -> list[Tensor]:
    rows = [torch.stack([torch.stack([(a * b).sum() for b in maps]) for a in maps]) for maps in stages]
    full = [torch.cat([r, torch.zeros(len(r), BATCH - len(r))], 1) for r in rows]
    raw = [e[2](e[1](e[0](r))) for e, r in zip(embeds, full, strict=True)]
    return [x / x.norm(dim=1, keepdim=True) for x in raw]


def _gaps(project: nn.Module, student: Tensor, teacher: Tensor) -> list[float]:
    size = min(student.shape[-1], teacher.shape[-1])
    s, t = (F.avg_pool2d(maps, maps.shape[-1] // size) for maps in (student, teacher))
    return [float((a - b).square().mean()) for a, b in zip(project(s), t, strict=True)]


def test_attention_is_computed_in_single_precision_under_autocast() -> None:
    _, step = begun("semckd")
    assert isinstance(step.parts, Calibration)
    maps = step.student.maps[1:], step.taught.maps[1:]
    with torch.autocast("cpu", torch.bfloat16):
        rounded = step.parts.attention(*maps)
    assert torch.equal(rounded, step.parts.attention(*maps))


# --------------------------------------------------------------------------------------------------------------- CRD
def contrast(step: Step) -> Contrast:
    assert isinstance(step.parts, Contrast)
    return step.parts


def side(anchors: Tensor, bank: Tensor, drawn: Tensor, step: Step, z: float | None) -> tuple[float, float]:
    """One side's loss and Z, image by image: negatives are the drawn images of other classes."""
    labels = torch.arange(IMAGES) % CLASSES
    hits, misses = [], []
    for anchor, own in zip(anchors, step.indices, strict=True):
        others = [n for n in drawn if labels[n] != labels[own]]
        hits.append(float(torch.exp(anchor @ bank[own] / 0.07)))
        misses.append([float(torch.exp(anchor @ bank[n] / 0.07)) for n in others])
    z = z or float(np.mean(hits + sum(misses, []))) * IMAGES
    total = 0.0
    for hit, miss in zip(hits, misses, strict=True):
        noise = len(miss) / IMAGES
        total += np.log(hit / z / (hit / z + noise)) + sum(np.log(noise / (m / z + noise)) for m in miss)
    return -total / len(hits), z


@pytest.mark.parametrize("text", ["crd", "crd:negatives=12"])
def test_crd_equals_a_loop_over_images_and_updates_its_memory(text: str) -> None:
    """Two steps: Z is the first batch's in both; the second meets the memory that the first one left."""
    method, step = begun(text)
    parts, z, first = contrast(step), [None, None], 0
    count = 12 if "negatives" in text else IMAGES
    for _ in range(2):
        embedded = [
            F.normalize(memory.embed[0](features)).detach()
            for memory, features in ((parts.student, step.student.features), (parts.teacher, step.taught.features))
        ]
        banks = [parts.student.bank.clone(), parts.teacher.bank.clone()]
        drawn = parts.order[[(first + n) % IMAGES for n in range(count)]]
        one, z[0] = side(embedded[0], banks[1], drawn, step, z[0])  # type: ignore[call-overload]
        other, z[1] = side(embedded[1], banks[0], drawn, step, z[1])  # type: ignore[call-overload]
        assert float(method.terms(step)["crd"]) == pytest.approx(0.8 * (one + other), rel=1e-4)
        for memory, bank, values in zip((parts.student, parts.teacher), banks, embedded, strict=True):
            moved = bank.clone()
            moved[step.indices] = F.normalize(0.5 * bank[step.indices] + 0.5 * values)
            torch.testing.assert_close(memory.bank, moved)
        first += count
    assert float(parts.teacher.scale) == pytest.approx(z[0], rel=1e-5)


def test_all_images_take_their_turn_as_negatives() -> None:
    _, step = begun("crd:negatives=10")
    drawn = torch.cat([contrast(step).next_negatives() for _ in range(4)])
    assert sorted(drawn.tolist()) == list(range(IMAGES))


def test_crd_trains_both_embeddings_and_reaches_the_student() -> None:
    method, step = begun("crd")
    method.terms(step)["crd"].backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in step.parts.parameters())
    assert step.network.conv1.weight.grad is not None and step.network.conv1.weight.grad.abs().max() > 0


# --------------------------------------------------------------------------------------------------------- all of them
class NoWaiting(TorchDispatchMode):
    """Refuses what would make the host wait for the device, or give a shape that depends on data."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.split(".")[0]
        assert not name.startswith(self.WAITING), f"{name} waits for the device"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", methods.METHODS)
def test_no_step_waits_for_the_device(name: str) -> None:
    method, step = begun(name)
    images = torch.randn(BATCH, 1, 8, 8)
    with NoWaiting():
        output = method.predict(step.network, images, step.parts)
        torch.stack(methods.terms(method, replace(step, student=output))).sum().backward()
    with pytest.raises(AssertionError, match="waits"), NoWaiting():
        images.sum().item()


@pytest.mark.parametrize("name", methods.METHODS)
def test_terms_are_finite_scalars_in_single_precision_under_autocast(name: str) -> None:
    method, step = begun(name)
    with torch.autocast("cpu", torch.bfloat16):
        output = method.predict(step.network, torch.randn(BATCH, 1, 8, 8), step.parts)
        found = methods.terms(method, replace(step, student=output))
    for term in found:
        assert term.shape == () and term.dtype == torch.float32 and term.isfinite()


def test_which_methods_need_maps_is_known() -> None:
    assert sorted(MAPS) == sorted(name for name in methods.METHODS if "maps" in methods.needed([name]))


def test_outputs_of_the_prediction_replace_the_networks() -> None:
    """All but SimKD, and its twin with a classifier of its own, are judged by what their network says."""
    for name in methods.METHODS:
        method, step = begun(name)
        images = torch.randn(BATCH, 1, 8, 8)
        output = step.network.eval()(images)
        predicted = method.predict(step.network, images, step.parts.eval())
        assert isinstance(predicted, Output)
        assert torch.equal(predicted.logits, output.logits) == (name not in ("simkd", "projected"))
