"""Networks of one's own: the page's are trained, read from files and known by their sources."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import tiny
from own_nets import NETWORK, factory
from torch import nn

from kdnb import data, models, own_networks
from kdnb.methods import METHODS
from kdnb.runs import Run
from kdnb.runs.weights import network as rebuilt
from kdnb.train import study
from kdnb.train.teacher import from_file


def test_a_study_of_own_networks_is_trained_and_resumed(here: str, tmp_path: Path) -> None:
    """Every method but SimKD, whose teacher must end in averages; the identity names file and digest."""
    pair = {"teacher_model": f"{here}:wide", "student_model": f"{here}:wide", "epochs": 1, "limit": 64}
    names = [name for name in METHODS if name != "simkd"]
    asked = tiny(tmp_path / "runs", methods=names, temperatures=[4], teacher_outputs="live", **pair)
    runs = study.train_students(asked)
    assert len(runs) == len(names)
    for run in runs:
        assert run.spec.model == own_networks.identity(f"{here}:wide") and run.spec.teacher["model"] == run.spec.model
        assert {"classifier.weight", "layers.0.weight"} <= set(run.weights())
    again = study.train_students(asked)
    assert [run.spec for run in again] == [run.spec for run in runs]


def test_it_draws_from_the_seed_and_answers_as_ours(here: str) -> None:
    torch.manual_seed(3)
    one = models.create(f"{here}:wide", 5, 1, 8)
    torch.manual_seed(3)
    two = models.create(f"{here}:wide", 5, 1, 8)
    assert one.training and not one.norm.num_batches_tracked
    states = one.state_dict().values(), two.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))
    found = one(torch.ones(3, 1, 8, 8))
    assert isinstance(found, models.Output) and [m.shape[2] for m in found.maps] == [8, 8, 4, 2]


@pytest.mark.parametrize(
    ("takes", "given"),
    [("num_classes, **options", 3), ("*, num_classes, in_channels", 3), ("num_classes, kwargs=None", 0)],
)
def test_channels_are_given_to_whom_takes_them(here: str, tmp_path: Path, takes: str, given: int) -> None:
    """By its name, or among any names: what those are called says nothing."""
    body = "nets.append(dict(locals())); return Net(num_classes, 3)"
    (tmp_path / f"{here}.py").write_text(f"{NETWORK}\n\nnets = []\n\n\ndef made({takes}):\n    {body}\n")
    models.create(f"{here}:made", 10, 3, 8)
    (seen,) = __import__(here).nets
    assert (seen.get("in_channels") or (seen.get("options") or {}).get("in_channels", 0)) == given


def test_its_classifier_is_never_rounded(here: str) -> None:
    network = models.create(f"{here}:wide", 5, 1, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = network(torch.ones(2, 1, 8, 8))
    assert found.maps[1].dtype == torch.bfloat16 and found.logits.dtype == found.features.dtype == torch.float32
    torch.testing.assert_close(found.logits, network.classifier(found.features))


def test_a_changed_file_is_another_network(here: str, tmp_path: Path) -> None:
    asked = tiny(tmp_path / "runs", methods=["normal"], epochs=1, student_model=f"{here}:small", bystander_seed=None)
    with pytest.raises(ValueError, match="teacher has 64 features, student 8; .* choose a pair of equal width"):
        study.train_students(asked)
    assert not (tmp_path / "runs").exists()
    asked = replace(asked, teacher_model=f"{here}:small")
    (run,) = study.train_students(asked)
    (tmp_path / f"{here}.py").write_text(NETWORK.replace("relu", "tanh"))
    with pytest.raises(ValueError, match=r"holds results of another spec \(model: there|is a nets_.*and teacher_model"):
        study.train_students(asked)
    with pytest.raises(ValueError, match=rf"{here}\.py was changed since .* Put the file back"):
        rebuilt(run.spec.model, run.weights(), data.load("digits", limit=64), "there")


def test_weights_of_an_own_network_are_read_from_a_file(here: str, tmp_path: Path) -> None:
    trained = models.create(f"{here}:small", 10, 1, 8)
    torch.save({"model": {f"module.{name}": value for name, value in trained.state_dict().items()}}, tmp_path / "t.pth")
    asked = tiny(
        tmp_path / "runs",
        methods=["kd"],
        temperatures=[4],
        epochs=1,
        bystander_seed=None,
        teacher_model=f"{here}:small",
        student_model=f"{here}:small",
        teacher_weights=str(tmp_path / "t.pth"),
    )
    (run,) = study.train_students(asked)
    assert run.spec.teacher and run.spec.teacher["model"] == run.spec.model and isinstance(run, Run)


@pytest.mark.parametrize("head", ["fc", "linear", "head"])
def test_the_classifier_may_have_its_public_name_in_the_file(here: str, tmp_path: Path, head: str) -> None:
    """As timm and torchvision call it; a layer of that name within the body is none."""
    gated = factory(here, f"net = Net(num_classes, in_channels); net.norm.{head} = nn.Linear(3, 3); return net")
    digits = data.load("digits", limit=64)
    for name in (f"{here}:small", gated):
        own = models.create(name, 10, 1, 8).state_dict()
        state = {f"module.{key.replace('classifier', head)}": value for key, value in own.items()}
        torch.save({"state_dict": state}, tmp_path / "own.pth")
        found = from_file(name, tmp_path / "own.pth", digits)
        assert torch.equal(found.network.classifier.weight, own["classifier.weight"])
    torch.save({"top.weight": torch.ones(10, 8)}, tmp_path / "own.pth")
    with pytest.raises(ValueError, match="holds no layer classifier, fc, linear, head of a network, but .*top.weight"):
        from_file(f"{here}:small", tmp_path / "own.pth", digits)
    torch.save({"fc.weight": torch.ones(10, 9), "fc.bias": torch.ones(10)}, tmp_path / "own.pth")
    with pytest.raises(ValueError, match="missing.\nSave the state dict alone"):
        from_file(f"{here}:small", tmp_path / "own.pth", digits)


def test_buffers_of_whole_numbers_are_read_as_the_network_has_them(here: str, tmp_path: Path) -> None:
    """A mask, positions; a weight of whole numbers, or a mask of complex ones, is refused still."""
    buffers = "net.register_buffer('order', torch.arange(9)); net.register_buffer('mask', torch.ones(3) > 0)"
    name = factory(here, f"net = Net(num_classes, in_channels); {buffers}; return net")
    digits = data.load("digits", limit=64)
    state = models.create(name, 10, 1, 8).state_dict() | {"order": torch.arange(9).flip(0)}
    torch.save(state, tmp_path / "own.pth")
    own = from_file(name, tmp_path / "own.pth", digits)
    assert torch.equal(own.network.order, state["order"]) and own.network.mask.dtype == torch.bool
    for wrong, kind in ((("classifier.bias", torch.arange(10)), "int64"), (("order", torch.ones(9) * 1j), "complex64")):
        torch.save(state | dict([wrong]), tmp_path / "own.pth")
        with pytest.raises(ValueError, match=rf"{wrong[0]} in teacher_weights .*\({kind}\)"):
            from_file(name, tmp_path / "own.pth", digits)


def test_a_partial_is_known_by_the_file_that_fills_it_in_and_by_its_functions(here: str, tmp_path: Path) -> None:
    """Not by Python's functools.py, which never changes."""
    filled = f"from functools import partial\n\nimport {here}\n\nwide = partial(partial({here}.Net), width=8)\n"
    (tmp_path / f"{here}_2.py").write_text(filled)
    known = {own_networks.identity(f"{here}_2:wide")}
    assert models.create(f"{here}_2:wide", 10, 1, 8).classifier.in_features == 8
    (tmp_path / f"{here}_2.py").write_text(filled.replace("8", "9"))
    known.add(own_networks.identity(f"{here}_2:wide"))
    (tmp_path / f"{here}.py").write_text(NETWORK.replace("relu", "tanh"))
    known.add(own_networks.identity(f"{here}_2:wide"))
    assert len(known) == 3


def test_what_a_network_keeps_between_batches_is_no_draw_and_stays_as_it_began(here: str) -> None:
    """Batch norm, spectral norm, a dropout of nothing; and it comes in training mode, however the factory left it."""
    body = "net = Net(num_classes, in_channels); nn.utils.parametrizations.spectral_norm(net.layers[1]); "
    body += "net.norm = nn.Sequential(nn.Dropout(0), net.norm); "
    body += "made.append({name: tensor.clone() for name, tensor in net.state_dict().items()}); return net.eval()"
    network = models.create(factory(here, body, "\n\nmade = []"), 10, 1, 8)
    assert all(layer.training for layer in network.modules())
    (began,) = __import__(here).made
    assert all(torch.equal(tensor, began[name]) for name, tensor in network.state_dict().items())


def test_a_meta_network_has_shapes_alone(here: str) -> None:
    with torch.device("meta"):
        network: nn.Module = models.create(f"{here}:small", 10, 1)
    assert network.classifier.weight.is_meta
