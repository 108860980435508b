"""A network of one's own whose classifier is a layer that it has by another name: one layer, trained and kept once."""

from pathlib import Path

import pytest
import torch
from conftest import same, tiny
from safetensors.torch import save_file

from kdnb import data, files
from kdnb.runs import Run
from kdnb.train import own_weights, study
from kdnb.train.budget import TimeUp
from kdnb.train.learner import Learner

NETWORK = """
from torch import nn


class Existing(nn.Module):
    def __init__(self, num_classes, in_channels, head):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(in_channels, 8, 3, 1, 1)])
        self.layers.extend(nn.Conv2d(8, 8, 3, step, 1) for step in (1, 2, 2))
        setattr(self, head, nn.Linear(8, num_classes))
        self.head = head

    def forward(self, x):
        maps = []
        for layer in self.layers:
            x = layer(x).relu()
            maps.append(x)
        features = x.mean((2, 3))
        return maps, features, getattr(self, self.head)(features)


class Named(nn.Module):
    head = "fc"

    def __init__(self, num_classes, in_channels):
        super().__init__()
        self.net = Existing(num_classes, in_channels, self.head)
        self.classifier = getattr(self.net, self.head)

    def forward(self, x):
        return self.net(x)


class Within(Named):
    head = "classifier"


def once(num_classes, in_channels):
    return Existing(num_classes, in_channels, "classifier")
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "two_names.py").write_text(NETWORK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere"] + __import__("sys").path)


def trained(folder: Path, kind: str) -> list[Run]:
    pair = {"teacher_model": f"two_names:{kind}", "student_model": f"two_names:{kind}", "bystander_seed": None}
    asked = tiny(folder, methods=["kd", "frozen"], temperatures=[4], epochs=2, limit=64, **pair)
    return study.train_students(asked)


@pytest.mark.parametrize("kind", ["Named", "Within"])
def test_it_trains_as_with_one_name_and_resumes(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after an epoch and resumed, it has the bits of an uninterrupted run, and of the layer with one name."""
    whole, plain = trained(tmp_path / "whole", kind), trained(tmp_path / "plain", "once")
    end = Learner.end_epoch

    def stopping(self: Learner, *given: object) -> None:
        end(self, *given)  # type: ignore[arg-type]
        raise TimeUp("a stop after each epoch of each run")

    monkeypatch.setattr(Learner, "end_epoch", stopping)
    for _ in range(4):  # two epochs of the teacher, then of the two students
        with pytest.raises(TimeUp):
            trained(tmp_path / "stopped", kind)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    for run, again, once in zip(whole, trained(tmp_path / "stopped", kind), plain, strict=True):
        same(run, again)
        assert run.history.equals(once.history) and len(run.provenance["sessions"]) == 1
        assert len(again.provenance["sessions"]) > 1
        weights = run.weights()
        inner = f"net.{'fc' if kind == 'Named' else 'classifier'}.weight"
        assert torch.equal(weights["classifier.weight"], weights[inner])
        assert torch.equal(weights["classifier.weight"], once.weights()["classifier.weight"])


def test_its_weights_are_read_from_a_file(tmp_path: Path) -> None:
    """Also where the other name ends as ours does: that is no network within the network."""
    digits = data.load("digits", limit=64)
    for kind in ("Named", "Within"):
        trained(tmp_path / kind, kind)
        weights = Run(tmp_path / kind / "teacher-s0").weights()
        save_file({f"module.{name}": tensor for name, tensor in weights.items()}, tmp_path / "own.safetensors")
        found = own_weights.read(tmp_path / "own.safetensors", f"two_names:{kind}", digits).state
        assert found.keys() == weights.keys() and all(torch.equal(found[name], weights[name]) for name in weights)


def test_tensors_that_share_memory_are_each_written_whole(tmp_path: Path) -> None:
    values = torch.arange(12.0).reshape(3, 4)
    shared = {"a": values, "b": values, "row": values[1], "turned": values.t()}
    files.write_tensors(tmp_path / "a.safetensors", shared, {})
    found, _ = files.read_tensors(tmp_path / "a.safetensors")
    assert all(torch.equal(found[name], tensor) for name, tensor in shared.items())
