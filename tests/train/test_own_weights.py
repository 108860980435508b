"""Files of weights as users have them: each loads by itself, or is refused with the way out; no code in it runs."""

import argparse
import collections
import io
import json
import pathlib
import re
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from damaged import FUZZ, damaged, made_up
from hypothesis import given
from safetensors.torch import save, save_file
from torch import Tensor, nn

from kdnb import data, models
from kdnb.runs import Run
from kdnb.train import own_weights, teacher

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def digits() -> data.Dataset:
    return data.load("digits", limit=128)


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(0)
    return dict(models.create("resnet8", 10, 1).state_dict())


def named(state: State, prefix: str = "", head: str = "classifier") -> State:
    return {prefix + name.replace("classifier", head): tensor for name, tensor in state.items()}


def other(state: State) -> State:
    return {name: tensor + 1 for name, tensor in state.items()}


class Settings:
    """A class of the program that saved the file; here it must not be imported."""

    def __init__(self) -> None:
        self.lr = 0.1


Namespace = argparse.Namespace(model="resnet8", lr=0.05, where=pathlib.PurePosixPath("/data"))
LOADS: dict[str, Callable[[State], Any]] = {
    "plain": lambda s: s,
    "fc": lambda s: named(s, head="fc"),
    "linear": lambda s: named(s, head="linear"),
    "DataParallel": lambda s: {"state_dict": named(s, "module.", "fc")},
    "torch.compile in DataParallel": lambda s: named(s, "module._orig_mod."),
    "mdistiller": lambda s: {"model": named(s, "module.student.") | named(other(s), "module.teacher."), "epoch": 240},
    "Lightning": lambda s: {"state_dict": named(s, "model.net."), "pytorch-lightning_version": "2.5", "loops": {}},
    "RepDistiller": lambda s: {"epoch": 240, "model": named(s, head="fc"), "best_acc": torch.tensor(79.4)},
    "numpy accuracy": lambda s: {"model": s, "best_acc": np.float64(79.42), "curve": np.arange(3.0)},
    "namespace": lambda s: {"opt": Namespace, "model": s},
    "a class of its own": lambda s: {"state_dict": s, "settings": Settings()},
    "defaultdict": lambda s: {"net": s, "meters": collections.defaultdict(list, loss=[1.0])},
    "name under model": lambda s: {"model": "resnet8", "state_dict": s, "args": [1, "two", torch.ones(3)]},
    "net": lambda s: {"net": s, "acc": 91.2, "epoch": 199},
    "model_state_dict": lambda s: {"model_state_dict": s, "optimizer_state_dict": {"state": {0: {"m": torch.ones(2)}}}},
    "student and teacher": lambda s: {"student": s, "teacher": other(s)},
    "ema": lambda s: {"model_ema": other(s), "model": s},
    "only ema": lambda s: {"ema": named(s, "module."), "epoch": 3},
    "deep": lambda s: {"checkpoint": {"weights": [{"model": s}]}},
    "list": lambda s: [s, {"lr": 0.1}],
    "pairs": lambda s: list(s.items()),
    "parameters": lambda s: {n: nn.Parameter(t) if t.is_floating_point() else t for n, t in s.items()},
    "twice the same": lambda s: {"last": s, "best": dict(s)},
    "before torch 0.4.1": lambda s: {n: t for n, t in s.items() if "num_batches" not in n},
    "itself within": lambda s: {"net": (inner := dict(s), inner)[0], "again": inner},
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", LOADS)
def test_it_loads_by_itself(name: str, zipped: bool, state: State, digits: data.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "own.pth.tar"
    torch.save(LOADS[name](state), path, _use_new_zipfile_serialization=zipped)
    found = own_weights.read(path, "resnet8", digits).state
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("ending", ["safetensors", "pth", "bin"])
@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"note": "{"}])
def test_safetensors_load_whatever_their_metadata(
    metadata: dict[str, str] | None, ending: str, state: State, digits: data.Dataset, tmp_path: Path
) -> None:
    save_file(named(state, "module.", "fc"), tmp_path / f"own.{ending}", metadata)
    found = own_weights.read(tmp_path / f"own.{ending}", "resnet8", digits).state
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


def test_half_precision_loads_and_a_wrong_ending_does_no_harm(
    state: State, digits: data.Dataset, tmp_path: Path
) -> None:
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    torch.save(half, tmp_path / "own.safetensors")
    own = teacher.from_file("resnet8", tmp_path / "own.safetensors", digits)
    assert torch.equal(own.network.conv1.weight, half["conv1.weight"].float())


def cut(state: State) -> bytes:
    content = io.BytesIO()
    torch.save(state, content)
    return content.getvalue()[:5000]


def tarred(state: State) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"), io.BytesIO())
    return content.getvalue()


def broken(state: State, name: str = "layer2.0.bn1.running_var", value: float = float("nan")) -> State:
    return state | {name: torch.full_like(state[name], value)}


def network(*arguments: Any) -> State:
    return dict(models.create(*arguments).state_dict())


# What is in the file (bytes as they are, the rest by torch.save) and what the refusal says.
REFUSED: dict[str, tuple[Callable[[State], Any], str]] = {
    "empty": (lambda s: b"", r"own.pth is empty \(0 bytes\): copy or download it again"),
    "a page": (lambda s: b"\n<!DOCTYPE html><html>Sign in", r"is a web page, not weights: .*Download the file itself"),
    "a page without doctype": (lambda s: b"<HTML><body>404", "is a web page, not weights"),
    "Git LFS": (lambda s: b"version https://git-lfs.github.com/spec/v1\noid", "pointer of Git LFS.*git lfs pull"),
    "text": (lambda s: b"hello, these are no weights", "cannot be read as plain weights"),
    "cut short": (cut, "cannot be read as plain weights"),
    "cut safetensors": (lambda s: save(s)[:9000], "is damaged or cut short"),
    "true tar": (tarred, "cannot be read as plain weights.*torch.save"),
    "a whole network": (lambda s: models.create("resnet8", 10, 1), "no network of ours, but one object of type ResNet"),
    "a whole network in a dict": (lambda s: {"net": nn.Linear(2, 2)}, r"but a dict of net \(Linear\)"),
    "a tensor": (lambda s: torch.ones(3), "no network of ours, but one object of type Tensor"),
    "tensors": (lambda s: list(s.values()), "no network of ours, but one object of type list"),
    "a name": (lambda s: {"model": "resnet8", "epoch": 3}, r"a dict of model \(str\), epoch \(int\)"),
    "arrays": (lambda s: {n: t.numpy() for n, t in s.items()}, "a dict of conv1.weight .* and 53 more"),
    "optimiser": (lambda s: {"optimizer": {"state": {0: {"m": torch.ones(3)}}}}, r"a dict of optimizer \(dict\)"),
    "a huge number": (lambda s: {10**5000: 1}, "cannot be read as plain weights .Unsupported operand"),
    "not finite": (broken, r"layer2.0.bn1.running_var in teacher_weights .*own.pth has 32 of 32 values .*not finite"),
    "infinite": (lambda s: {"model": broken(s, "classifier.bias", float("inf"))}, "classifier.bias in .* not finite"),
    "quantised": (lambda s: s | {"conv1.weight": s["conv1.weight"].char()}, "no plain tensor of floats .int8."),
    "deeper": (
        lambda s: network("resnet20", 10, 1),
        "do not fit resnet8 .*those of resnet20 .*\nset teacher_model = 'resnet20'",
    ),
    "wider": (lambda s: {"model": network("resnet8x4", 10, 1)}, "set teacher_model = 'resnet8x4'"),
    "other classes": (
        lambda s: named(network("resnet8", 100, 3), "module.", "fc"),
        "with 10 classes and 1 colour channel: .* with 100 classes and 3 colour channels\\.\nchoose the data it was",
    ),
    "another family": (
        lambda s: {f"layer1.0.conv{i}.weight": torch.ones(64, 64, 1, 1) for i in (1, 2, 3)},
        "conv1.weight, bn1.weight, bn1.bias and .* more missing. No other of resnet8, .* fits",
    ),
    "lacks the classifier": (
        lambda s: {n: t for n, t in s.items() if "class" not in n},
        "classifier.weight, classifier.bias missing",
    ),
    "a SimKD student of ours": (
        lambda s: s | {f"parts.{i}.weight": torch.ones(1) for i in range(5)},
        "parts.0.weight, parts.1.weight, parts.2.weight and 2 more beside it; .* SimKD student",
    ),
    "a SimKD student of theirs": (
        lambda s: {"model": s, "proj": {"w": torch.ones(1)}},
        "holds proj beside .* SimKD student",
    ),
    "two networks": (lambda s: {"a": s, "b": other(s)}, "several networks \\('a', 'b'\\); which is meant"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_two_lines(name: str, state: State, digits: data.Dataset, tmp_path: Path) -> None:
    content, said = REFUSED[name]
    path, made = tmp_path / "own.pth", content(state)
    path.write_bytes(made) if isinstance(made, bytes) else torch.save(made, path)
    with pytest.raises(ValueError, match=f"(?s){said}") as refusal:
        teacher.from_file("resnet8", path, digits)
    text = str(refusal.value)
    assert str(path) in text and len(text.splitlines()) <= 2 and len(text) < 1000 + len(str(path))


def test_no_file_and_a_folder(digits: data.Dataset, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="teacher_weights .*none.pth does not exist"):
        own_weights.read(tmp_path / "none.pth", "resnet8", digits)
    with pytest.raises(ValueError, match="is no file"):
        own_weights.read(tmp_path, "resnet8", digits)


class Planted:
    """Runs a function when an unpickler believes it."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.made = function, arguments

    def __reduce__(self) -> Any:
        return self.made


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("function", [exec, eval])
def test_code_in_a_file_is_not_run(
    function: Callable[..., Any], zipped: bool, state: State, digits: data.Dataset, tmp_path: Path
) -> None:
    trap = Planted(function, f"open({str(tmp_path / 'ran')!r}, 'w')")
    torch.save({"model": state, "trap": trap}, tmp_path / "own.pth", _use_new_zipfile_serialization=zipped)
    assert own_weights.read(tmp_path / "own.pth", "resnet8", digits).state.keys() == state.keys()
    assert not (tmp_path / "ran").exists()


def test_the_teachers_accuracy_is_said(
    tiny_folder: Path, digits: data.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = Run(tiny_folder / "teacher-s0").weights()
    save_file(weights, tmp_path / "own.safetensors", {"format": "pt"})
    own = teacher.from_file("resnet8", tmp_path / "own.safetensors", digits)
    with torch.no_grad():
        answers = own.network(data.Views(digits.test, digits, "cpu")(torch.arange(128), torch.tensor([4]))).logits
    right = float((answers.argmax(1) == digits.test.labels).double().mean())
    assert f"resnet8, {100 * right:.2f} % right of 128 test images of digits" in capsys.readouterr().out


def test_a_teacher_with_other_rows_is_warned_of(
    digits: data.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that knows one class, and calls it by another's number."""
    state = network("resnet8", 10, 1) | {
        "classifier.bias": 1e6 * torch.eye(10)[3],
        "classifier.weight": torch.zeros(10, 64),
    }
    torch.save({"model": named(state), "model_ema": named(other(state))}, tmp_path / "own.pth")
    teacher.from_file("resnet8", tmp_path / "own.pth", digits)
    said = capsys.readouterr().out
    assert re.search(r"own.pth, at 'model' \(left: 'model_ema'\): resnet8, (9|10)\.\d+ % right of 128", said)
    assert (
        "warning: a guess is right in 10.00 %. Does the teacher know the classes in this order (0, 1, 2, ...)" in said
    )


def files(state: State) -> dict[str, bytes]:
    """Whole files, to be damaged."""
    small = {name: tensor for name, tensor in state.items() if tensor.numel() < 100}
    whole = {"safetensors": save(small, {"format": "pt"})}
    for zipped in (True, False):
        content = io.BytesIO()
        torch.save({"model": small, "opt": Namespace}, content, _use_new_zipfile_serialization=zipped)
        whole[f"torch {zipped}"] = content.getvalue()
    return whole


HEADS = [b"", b"PK\x03\x04", b"\x80\x02", struct.pack("<Q", 200) + b'{"', json.dumps({"a": 1}).encode()]


@pytest.mark.parametrize("kind", ["safetensors", "torch True", "torch False", "random"])
def test_damaged_files_end_in_our_own_errors(kind: str, state: State, digits: data.Dataset, tmp_path: Path) -> None:
    """Refused by name, whatever is wrong: also what survives lacks weights."""
    path = tmp_path / "own.pth"

    @FUZZ
    @given(made_up(HEADS) if kind == "random" else damaged(files(state)[kind]))
    def refused(content: bytes) -> None:
        path.write_bytes(content)
        with pytest.raises(ValueError, match="own.pth"):
            own_weights.read(path, "resnet8", digits)

    refused()
