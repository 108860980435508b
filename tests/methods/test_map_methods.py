"""Features matched by squared difference: the classifier on top learns from them, and they never learn from it."""

import numpy as np
import pytest
import torch
from conftest import Train

from kdnb import methods, models
from kdnb.methods.base import Setting, Step


def step(name: str) -> tuple[Step, models.Network]:
    """A method's first step on four random images."""
    torch.manual_seed(0)
    student, teacher = models.create("resnet8", 10), models.create("resnet20", 10)
    images, method = torch.randn(4, 3, 8, 8), methods.create(name)
    setting = Setting(student(images[:1]), teacher(images[:1]), teacher, torch.zeros(1), 4)
    parts = method.begin(student, setting)
    seen = method.predict(student, images, parts)
    return Step(seen, teacher(images), torch.tensor([1, 2, 3, 4]), torch.arange(4), student, parts), student


@pytest.mark.parametrize("name", ["straight", "projected"])
def test_labels_train_the_classifier_and_nothing_below_it(name: str) -> None:
    """Cross-entropy by hand on the features gives the classifier's gradient; below it there is none."""
    seen, student = step(name)
    cross_entropy = methods.create(name).terms(seen)["ce"]
    cross_entropy.backward()
    assert [n for n, p in student.named_parameters() if p.grad is not None] == ["classifier.weight", "classifier.bias"]
    probabilities = seen.student.logits.softmax(1).detach()
    error = (probabilities - torch.nn.functional.one_hot(seen.labels, 10)) / 4
    torch.testing.assert_close(student.classifier.weight.grad, error.t() @ seen.student.features.detach())
    assert cross_entropy.item() == pytest.approx(float(-probabilities[range(4), seen.labels].log().mean()), rel=1e-5)


@pytest.mark.parametrize(("name", "term"), [("straight", "features"), ("projected", "simkd")])
def test_the_other_term_is_the_mean_squared_difference_of_maps(name: str, term: str) -> None:
    seen, student = step(name)
    found = methods.create(name).terms(seen)[term]
    difference = (seen.student.maps[-1] - seen.taught.maps[-1]).detach().numpy()
    assert float(found.detach()) == pytest.approx(float((difference**2).mean()), rel=1e-5)
    found.backward()
    assert student.classifier.weight.grad is None and student.conv1.weight.grad is not None


def test_with_an_own_classifier_simkd_has_the_same_body(train: Train) -> None:
    """SimKD never hears what its classifier says: W_t put on the features of 'projected' is SimKD, in every epoch."""
    simkd, projected = train(methods=["simkd", "projected"], teacher_outputs="live")
    np.testing.assert_array_equal(simkd.history["test_accuracy"], projected.history["plug_in_accuracy"])
    np.testing.assert_array_equal(simkd.history["cka"], projected.history["cka"])
    assert (simkd.history["test_accuracy"] != projected.history["test_accuracy"]).any()


def test_simkd_takes_a_teacher_of_another_width_and_straight_says_that_it_would(train: Train) -> None:
    (run,) = train(student_model="resnet8x2", methods=["simkd"], teacher_outputs="live")
    assert len(run.history) == 3 and "mu_raw" not in run.history
    student, teacher = models.create("resnet8x2", 10), models.create("resnet20", 10)
    images = torch.randn(1, 3, 8, 8)
    setting = Setting(student(images), teacher(images), teacher, torch.zeros(1), 4)
    with pytest.raises(ValueError, match=r"\(128, .*\), the teacher's \(64, .*'simkd', whose projector helps"):
        methods.create("straight").begin(student, setting)
    with pytest.raises(ValueError, match="teacher has 64 features, student 128; .* choose a pair of equal width"):
        train(student_model="resnet8x2", methods=["kd"], seed=3)


def test_srrls_connector_begins_as_its_authors_do() -> None:
    """N(0, 2 / width), not PyTorch's default, which is less than half as wide."""
    seen, _ = step("srrl")
    kernel = next(seen.parts.parameters()).detach()
    assert float(kernel.std()) == pytest.approx((2 / 64) ** 0.5, rel=0.05)
