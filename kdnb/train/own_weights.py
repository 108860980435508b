"""Weights of one's own: found in whatever file they were saved in, read as data alone, or refused with the way out.

A file is known by its content, not its ending: safetensors, or what ``torch.save`` wrote, as a zip or as before. Of the
latter only tensors and plain containers are read; any other type in it becomes an empty :class:`_Stub` of our own, so
nothing of the file's is imported or called. The state dict may lie in dicts and lists, under any prefix, and may name
the classifier ``fc`` or ``linear``, that of a network of one's own ``head`` as well.
"""

import pickle
import re
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from kdnb import models
from kdnb.data import Dataset

ANCHOR = "layer1.0.conv1.weight"  # in every network of the family, behind whatever prefix
HEADS = re.compile(r"^(fc|linear)\.")  # the classifier's public names
OWN_HEADS = ("classifier", "fc", "linear", "head")  # the same of networks of one's own, known by it alone
# Which of several networks is meant: the first of these that its place in the file says; "" stands for all others.
MEANT = ("student", "", "ema", "swa", "teacher")
DEEP, STUBS = 6, 200  # how deep a state dict may lie; how many types a file may name
CONVERT = (
    "Save the state dict alone, in the program that made it: "
    "torch.save(network.state_dict(), 'teacher.pth'); the bare parameters, named as in teacher_model's network."
)


State = dict[str, Tensor]


@dataclass(frozen=True)
class Weights:
    """A state dict, its place in the file (``"model" > module.``), and the places of others that were left."""

    state: State
    place: str
    left: tuple[str, ...] = ()


def read(path: Path, model: str, dataset: Dataset) -> Weights:
    """The weights in ``path`` that fit ``model`` and ``dataset``.

    Raises FileNotFoundError, or ValueError naming the file, what is wrong with it, and what to do.
    """
    content = _content(path)
    expected = _expected(model, dataset.num_classes, dataset.in_channels)
    found = list(_networks(content, expected))
    if not found:
        kind = "no network of ours" if ANCHOR in expected else f"no layer {', '.join(OWN_HEADS)} of a network"
        raise ValueError(f"teacher_weights {path} holds {kind}, but {_described(content)}.\n{CONVERT}")
    beside = map(_key, content) if isinstance(content, dict) else ()
    if projector := [key for key in beside if key.startswith("proj")]:
        raise ValueError(
            f"teacher_weights {path} holds {_first(projector)} beside the network: a SimKD student answers only "
            "through its projector, and so cannot be a teacher here. Take the teacher it learned from."
        )
    fitting = [each for each in found if not _misfit(each.state, expected)]
    if not fitting:
        raise ValueError(_misfits(path, model, dataset, min(found, key=_rank)))
    chosen = min(fitting, key=_rank)
    rivals = [each for each in fitting if each is not chosen and _rank(each) == _rank(chosen)]
    if any(not _same(chosen.state, each.state) for each in rivals):
        places = ", ".join(each.place for each in [chosen, *rivals])
        raise ValueError(f"teacher_weights {path} holds several networks ({places}); which is meant?\n{CONVERT}")
    state = {name: chosen.state.get(name, torch.zeros(tensor.shape)) for name, tensor in expected.items()}
    _refuse_unusable(path, state, expected)
    return Weights(state, chosen.place, tuple(each.place for each in found if each is not chosen))


# -- the file ----------------------------------------------------------------------------------------------------------


def _content(path: Path) -> Any:
    if not path.exists():
        raise FileNotFoundError(f"teacher_weights {path} does not exist.")
    if not path.is_file():
        raise ValueError(f"teacher_weights {path} is no file; name the file of weights in it.")
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise ValueError(f"teacher_weights {path} cannot be read: {error.strerror}.") from error
    if not start:
        raise ValueError(f"teacher_weights {path} is empty (0 bytes): copy or download it again.")
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        raise ValueError(
            f"teacher_weights {path} is a web page, not weights: the address gives a page about the file (or a log-in, "
            "or an error). Download the file itself."
        )
    if start.startswith(b"version https://git-lfs"):
        raise ValueError(f"teacher_weights {path} is a pointer of Git LFS, not the file: run `git lfs pull` there.")
    return _safetensors(path) if start[8:9] == b"{" else _saved_by_torch(path)


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # of safetensors', and torch's for a type it does not know
        kind = "damaged or cut short" if isinstance(error, SafetensorError) else "not readable here"
        raise ValueError(f"teacher_weights {path} is {kind} ({_short(error)}): copy or download it again.") from error


class _Stub:
    """Stands for any object of a type that is no concern of ours; swallows what it is made from."""

    def __new__(cls, *_: object, **__: object) -> "_Stub":
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


def _saved_by_torch(path: Path) -> Any:
    """What ``torch.save`` wrote, by torch's restricted reader; it names what it does not know, which gets a stub."""
    stubs: dict[str, Any] = {}
    while True:
        try:
            # Opened here, for torch would go by the ending of a path.
            with (
                torch.serialization.safe_globals(list(stubs.values())),
                warnings.catch_warnings(action="ignore"),
                path.open("rb") as file,
            ):
                return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            unknown = re.search(r"GLOBAL ([\w.]+) was not an allowed global", str(error))
            name = unknown[1] if unknown and isinstance(error, pickle.UnpicklingError) else ""
            name = name if "." in name else f"builtins.{name}"
            if not unknown or name in stubs or len(stubs) == STUBS:
                raise ValueError(
                    f"teacher_weights {path} cannot be read as plain weights ({_short(error)}): it is damaged, or "
                    f"holds more than tensors.\n{CONVERT}"
                ) from error
            stubs[name] = _stub(name)


class _Dict:
    """Stands for a dict that is made with arguments."""

    def __new__(cls, *_: object) -> Any:
        return {}


def _stub(name: str) -> Any:
    """A type of our own that torch takes for ``name``."""
    module, _, kind = name.rpartition(".")
    base = _Dict if name == "collections.defaultdict" else _Stub
    return type(kind, (base,), {"__module__": module, "__qualname__": kind})


# -- the network in it -------------------------------------------------------------------------------------------------


def _networks(content: Any, expected: Collection[str]) -> Iterator[Weights]:
    """Every state dict of a network with our :data:`ANCHOR`, its names without prefix and with our classifier's.

    ``expected``: the names in a network of one's own, where the classifier alone is called as ours, but for a second
    name that it may have within the network, or for its public name in the file.
    """
    for keys, tensors in _state_dicts(content, (), set()):
        anchor, heads = (ANCHOR, HEADS) if ANCHOR in expected else _own_head(tensors, expected)
        within = _prefixes(expected, anchor) - {""}
        anchored = _prefixes(tensors, anchor)
        prefixes = anchored - {outer + inner for outer in anchored for inner in within}
        for prefix in sorted(prefixes):
            others = tuple(other for other in prefixes if other != prefix and other.startswith(prefix))
            own = [name for name in tensors if name.startswith(prefix) and not (others and name.startswith(others))]
            state = {heads.sub("classifier.", name.removeprefix(prefix)): tensors[name] for name in own}
            yield Weights(state, " > ".join([*map(repr, keys), *([prefix] if prefix else [])]))


def _own_head(tensors: Collection[str], expected: Collection[str]) -> tuple[str, re.Pattern[str]]:
    """What the file calls the classifier of a network of one's own: a public name that the network does not use so."""
    free = [head for head in OWN_HEADS if head == "classifier" or f"{head}.weight" not in expected]
    head = next((head for head in free if _prefixes(tensors, f"{head}.weight")), "classifier")
    return f"{head}.weight", re.compile(rf"^{head}\.")


def _prefixes(names: Collection[str], anchor: str) -> set[str]:
    return {name[: -len(anchor)] for name in names if f".{name}".endswith(f".{anchor}")}


def _state_dicts(content: Any, keys: tuple[str, ...], seen: set[int]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All dicts of tensors by name in a file's content, each with the keys that lead there."""
    if id(content) in seen or len(keys) > DEEP or not isinstance(content, (dict, list, tuple)):
        return
    seen.add(id(content))
    if isinstance(content, dict):
        items = list(content.items())
    elif all(isinstance(each, (list, tuple)) and len(each) == 2 and isinstance(each[0], str) for each in content):
        items = [tuple(each) for each in content]  # what state_dict().items() gives
    else:
        items = list(enumerate(content))
    if tensors := {key: value for key, value in items if isinstance(key, str) and isinstance(value, Tensor)}:
        yield keys, tensors
    for key, value in items:
        yield from _state_dicts(value, (*keys, _key(key)), seen)


def _rank(found: Weights) -> int:
    words = re.findall("[a-z]+", found.place.lower())
    return next((rank for rank, word in enumerate(MEANT) if word in words), MEANT.index(""))


def _same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# -- whether it fits ---------------------------------------------------------------------------------------------------


def _expected(model: str, classes: int, channels: int) -> State:
    """Names, shapes and types of the network's own state dict, without values."""
    with torch.device("meta"):
        return dict(models.create(model, classes, channels).state_dict())


def _misfit(state: State, expected: State) -> str:
    """What of ``state`` is not as expected, in words; empty where all is."""
    # Files from before torch 0.4.1 do not count batches; nothing here reads the count.
    missing = [name for name in expected if name not in state and not name.endswith("num_batches_tracked")]
    if missing:
        return f"{_first(missing)} missing"
    if extra := [name for name in state if name not in expected]:
        return (
            f"{_first(extra)} beside it; where the network answers only through these, as a SimKD student does through "
            "its projector, it cannot be a teacher here"
        )
    for name, own in expected.items():
        if name in state and state[name].shape != own.shape:
            return f"{name} is {tuple(state[name].shape)}, not {tuple(own.shape)}"
    return ""


def _misfits(path: Path, model: str, dataset: Dataset, found: Weights) -> str:
    """The refusal of a network that is not ``model``; it names the model that it is, where there is one."""
    classes, channels = dataset.num_classes, dataset.in_channels
    asked = f"the weights in {path} do not fit {model} with {classes} classes and {_channels(channels)}"
    head, stem = (found.state.get(name) for name in ("classifier.weight", "conv1.weight"))
    if head is not None and stem is not None and head.dim() == 2 and stem.dim() == 4 and head.shape[0] > 1:
        size, depth = head.shape[0], max(1, stem.shape[1])
        for name in models.names():
            if size < 10**6 and depth < 10**4 and not _misfit(found.state, _expected(name, size, depth)):
                way_out = (
                    f"set teacher_model = {name!r}"
                    if (size, depth) == (classes, channels)
                    else (f"choose the data it was trained on (this is {dataset.name}) and teacher_model = {name!r}")
                )
                return f"{asked}: they are those of {name} with {size} classes and {_channels(depth)}.\n{way_out}."
    expected = _expected(model, classes, channels)
    others = f" No other of {', '.join(models.names())} fits, either." if ANCHOR in expected else ""
    return f"{asked}: {_misfit(found.state, expected)}.{others}\n{CONVERT}"


def _channels(count: int) -> str:
    return f"{count} colour channel{'s' * (count != 1)}"


def _refuse_unusable(path: Path, state: State, expected: State) -> None:
    for name, tensor in state.items():
        plain = tensor.layout == torch.strided and not (tensor.is_quantized or tensor.is_meta or tensor.is_complex())
        # The network's own whole numbers (positions, a mask, batches counted) are read as they are.
        if not plain or (expected[name].is_floating_point() and not tensor.is_floating_point()):
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ValueError(f"{name} in teacher_weights {path} is no plain tensor of floats ({kind}).\n{CONVERT}")
        wrong = int((~torch.isfinite(tensor.float())).sum())
        if wrong:
            raise ValueError(
                f"{name} in teacher_weights {path} has {wrong} of {tensor.numel()} values that are not finite (NaN or "
                "infinite): the training that made it diverged. Take an earlier checkpoint."
            )


# -- in words ----------------------------------------------------------------------------------------------------------


def _first(names: list[str]) -> str:
    shown = ", ".join(name[:60] for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _described(content: Any) -> str:
    if isinstance(content, dict) and content:
        return f"a dict of {_first([f'{_key(key)} ({type(value).__name__})' for key, value in content.items()])}"
    return f"one object of type {type(content).__name__}"


def _key(key: object) -> str:
    """A key of a stranger's dict, short."""
    return str(key)[:40] if isinstance(key, (str, float)) or key in range(10**9) else type(key).__name__


def _short(error: Exception) -> str:
    reason = str(error).rpartition("WeightsUnpickler error: ")[2].strip()  # torch's advice around it is not for here
    return (reason if re.search("[a-z]{3}", reason) else type(error).__name__).splitlines()[0][:120]
