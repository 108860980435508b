"""Interventions on the classifier: each is KD in all but the last layer, and does to it what it says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Train, same, stopped_after, with_teachers

from kdnb import data, methods, models
from kdnb.methods.base import Setting
from kdnb.methods.interventions import Frozen
from kdnb.models import Output
from kdnb.runs import student_name
from kdnb.runs.randomness import initial_network

HEADS = ["frozen", "foreign", "random", "permuted", "rotated", "shuffled", "simplex"]
ALL = [*HEADS, "started", "pulled", "pushed"]


@pytest.fixture
def setting() -> Setting:
    torch.manual_seed(0)
    empty = torch.zeros(1, 10)
    networks = models.create("resnet8", 10), models.create("resnet8", 10)
    outputs = Output((), empty, empty), Output((), empty, empty)
    return Setting(*outputs, networks[0], torch.zeros(1), 8, networks[1])


def head(name: str, setting: Setting) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    network = models.create("resnet8", 10)
    methods.create(name).begin(network, setting)
    return network.classifier.weight.detach(), network.classifier.bias.detach()


def test_frozen_and_started_have_the_teachers_classifier(setting: Setting) -> None:
    taught = setting.teacher_network.classifier
    for name in ("frozen", "started"):
        weight, bias = head(name, setting)
        assert torch.equal(weight, taught.weight) and torch.equal(bias, taught.bias)


def test_foreign_has_the_bystanders_classifier(setting: Setting) -> None:
    assert setting.bystander_network is not None
    weight, bias = head("foreign", setting)
    assert torch.equal(weight, setting.bystander_network.classifier.weight)
    assert torch.equal(bias, setting.bystander_network.classifier.bias)


def test_foreign_needs_a_bystander(train: Train, tmp_path: Path) -> None:
    """Refused before any work: no folder of the run is left."""
    with pytest.raises(ValueError, match="takes the bystander's classifier, and there is none; set bystander_seed"):
        train(methods=["foreign"], bystander_seed=None)
    assert not (tmp_path / "foreign-T4-a0.9-wd0.0005-s0").exists()


def test_random_rows_are_as_long_as_the_teachers_and_know_nothing_else(setting: Setting) -> None:
    taught, (weight, bias) = setting.teacher_network.classifier.weight.detach(), head("random", setting)
    torch.testing.assert_close(weight.norm(dim=1), taught.norm(dim=1))
    cosines = torch.nn.functional.cosine_similarity(weight, taught)
    assert cosines.abs().max() < 0.5 and not bias.any()


def test_without_kd_a_frozen_student_learns_from_labels_alone(train: Train) -> None:
    """alpha = 0: the same student whatever the teacher answers, and with its own classifier it is normal training."""
    normal, kd, frozen = train(methods=["normal", "kd:alpha=0", "frozen:alpha=0"], temperatures=[4])
    np.testing.assert_array_equal(normal.history["test_accuracy"], kd.history["test_accuracy"])
    np.testing.assert_array_equal(normal.history["mu_raw"], kd.history["mu_raw"])
    assert (frozen.history["loss_kd"] == 0).all()
    assert frozen.label == "frozen at W_t, labels alone"


def test_permuted_has_the_same_columns_in_another_order(setting: Setting) -> None:
    taught, (weight, bias) = setting.teacher_network.classifier, head("permuted", setting)
    assert sorted(map(tuple, weight.t().tolist())) == sorted(map(tuple, taught.weight.t().tolist()))
    assert not torch.equal(weight, taught.weight) and torch.equal(bias, taught.bias)


def test_rotated_keeps_angles_and_lengths_of_rows(setting: Setting) -> None:
    taught, (weight, _) = setting.teacher_network.classifier.weight.detach(), head("rotated", setting)
    torch.testing.assert_close(weight @ weight.t(), taught @ taught.t(), rtol=1e-4, atol=1e-6)
    assert (weight - taught).norm() > 0.5 * taught.norm()


def test_shuffled_gives_every_class_anothers_row(setting: Setting) -> None:
    taught, (weight, bias) = setting.teacher_network.classifier, head("shuffled", setting)
    where = (weight[:, None] == taught.weight.detach()[None]).all(2)
    assert where.sum(0).tolist() == where.sum(1).tolist() == [1] * 10 and not where.diagonal().any()
    assert torch.equal(bias, taught.bias.detach()[where.int().argmax(1)])


def test_a_simplex_has_equal_angles_and_the_teachers_norm(setting: Setting) -> None:
    weight, bias = head("simplex", setting)
    gram = weight @ weight.t()
    cosine = gram / gram.diagonal().mean()
    expected = torch.full((10, 10), -1 / 9).fill_diagonal_(1.0)
    torch.testing.assert_close(cosine, expected, rtol=0, atol=1e-5)
    taught = setting.teacher_network.classifier.weight.detach()
    assert float(weight.norm()) == pytest.approx(float(taught.norm()), rel=1e-5)
    assert not bias.any()


def test_a_simplex_needs_room() -> None:
    with pytest.raises(ValueError, match="this simplex of 100 classes takes as many features; this network has 64"):
        methods.create("simplex").changed(torch.randn(100, 64), torch.zeros(100))  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", HEADS)
def test_a_frozen_classifier_never_moves_and_all_else_does(train: Train, name: str) -> None:
    (run,) = train(methods=[name])
    weight, bias = run.trace()
    assert (weight == weight[0]).all() and (bias == bias[0]).all()
    assert np.ptp(run.history["mu_raw"]) == 0 and "pull_ce" not in run.history
    fresh = initial_network(run.spec, data.load("digits", limit=128)).state_dict()
    assert all((run.weights()[key] != fresh[key]).any() for key in fresh if key.endswith("conv1.weight"))
    assert isinstance(methods.create(name), Frozen)


def test_raw_mu_sees_the_order_of_features_and_a_student_does_not(train: Train) -> None:
    """Permuted W_t is W_t under other numbers: raw mu is large, and the permutation that undoes it takes it to zero."""
    frozen, permuted = train(methods=["frozen", "permuted"])
    assert (frozen.history["mu_raw"] == 0).all() and (permuted.history["mu_raw"] > 1).all()
    np.testing.assert_allclose(permuted.history["mu_permuted"], 0, atol=1e-5)


def test_the_springs_pull_where_they_say(train: Train) -> None:
    """One towards mu = 0, one to a cosine of -1/2, which it reaches and stops to push at."""
    kd, pulled, pushed = train(methods=["kd", "pulled:weight=1", "pushed"], temperatures=[4], epochs=60)
    cosines = [float(run.history["classifier_cosine"].iloc[-1]) for run in (pushed, kd, pulled)]
    assert cosines == sorted(cosines) and cosines[2] > 0.9 and cosines[0] < -0.45
    assert (pushed.history["loss_spring"] > 0).any() and pushed.history["loss_spring"].iloc[-1] < 0.01
    for run in (pulled, pushed):
        assert run.history["account_residual"].abs().max() < 1e-4 * run.history["mu_raw"].max() ** 2
        assert (run.history["pull_spring"].sum() < 0) == (run is pulled)


def test_every_intervention_resumes_where_it_was(train: Train, tmp_path: Path, tiny_folder: Path) -> None:
    """Parts and frozen heads are in the checkpoint: stopped in the second epoch and taken up, nothing is different."""
    names = ["started", "frozen", "pulled", "pushed"]
    straight = train(methods=names)
    for run in straight:
        weights = run.weights()
        assert ("parts.weight" in weights) == (run.spec.method in ("pulled", "pushed"))
    elsewhere = {"methods": names, "output_dir": str(with_teachers(tmp_path / "again", tiny_folder))}
    with stopped_after(6):
        train(**elsewhere)
    again = train(**elsewhere)
    for one, other in zip(straight, again, strict=True):
        same(one, other)


def test_names_tell_what_is_unusual() -> None:
    """Folders and labels: parameters at their defaults are left out, others are named."""
    usual = methods.parameters_of(methods.create("pulled"))
    assert student_name("pulled", usual, 5e-4, 0) == "pulled-T4-a0.9-wd0.0005-s0"
    assert student_name("pulled", usual | {"weight": 1.0}, 5e-4, 0) == "pulled-T4-a0.9-weight1-wd0.0005-s0"
    assert methods.label("pulled", usual | {"weight": 1.0}) == "pulled to W_t weight=1"
    assert methods.label("kd", {"temperature": 4.0, "alpha": 0.9, "squared": 1.0}) == "KD T=4"
    assert methods.label("of another version", {}) == "of another version"


@pytest.mark.parametrize("text", ["pulled:weight", "pulled:weight=much"])
def test_a_text_that_names_no_parameter_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"'weight.*' must be name=number, as in 'simkd:factor=4'"):
        methods.parse(text)
