"""Networks of one's own, by the path of their factory: ``teacher_model: "mypackage.nets:wide"``.

A factory is called with ``num_classes=K``, and with ``in_channels=C`` where it takes that. It returns a
:class:`torch.nn.Module` that

- has ``classifier``, a linear layer with bias from D features to K classes: what is studied;
- maps images B x C x S x S to ``(maps, features, logits)``: four maps B x C' x H x W in their order, features B x D,
  and logits B x K that are the classifier's answer to the features, and nothing else;
- answers by the images and its state dict alone: it draws nothing at random, and writes nothing into the images.

It is found from the folder where the command runs, from the repository's root, or on PYTHONPATH, and asked with two
images, as it is judged and as it is trained, before any work. In a run's identity it stands with a digest of its source
file, ``mypackage.nets:wide@3fa1`` and more, so that a changed network is not taken for the same one. The file, not the
shapes of its parameters: another activation or stride changes no shape. What the file imports is not in the digest, and
a changed comment is.
"""

import copy
import hashlib
import inspect
import pickle
import random
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdnb import paths
from kdnb.checks import choice

MAPS = 4  # after the stem and the three stages of our own; methods that learn from maps count on it
DIGITS = 12  # of the digest
ASKED = 2  # images: a batch norm needs two


def is_one(name: str) -> bool:
    """Whether ``name`` is the path of a factory."""
    return ":" in name


def identity(name: str) -> str:
    """The path with the digest of its source file; ValueError where there is no such factory, or it was changed."""
    path, _, known = name.partition("@")
    files = _sources(path)
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:DIGITS]
    if known not in ("", digest):
        told = " or ".join(map(str, files))
        raise ValueError(
            f"network {path}: {told} was changed since ({known} then, {digest} now), and may be another network. Put "
            "the file back, or choose another output_dir to train with the new one."
        )
    return f"{path}@{digest}"


def create(name: str, num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """The network of a factory, fresh, checked, in training mode; ValueError names what is wrong, and the rule."""
    path = identity(name).partition("@")[0]
    factory = _factory(path)
    given = {"num_classes": num_classes}
    try:
        known = inspect.signature(factory).parameters
        if "in_channels" in known or any(one.kind is inspect.Parameter.VAR_KEYWORD for one in known.values()):
            given["in_channels"] = in_channels
        network = factory(**given)
    except Exception as error:  # a stranger's code may raise anything
        told = ", ".join(f"{key}={value}" for key, value in given.items())
        raise _refusal(path, f"calling it with {told} failed ({_short(error)})", "it takes these by name") from error
    if not isinstance(network, nn.Module):
        raise _refusal(path, f"it returns a {type(network).__name__}", "a factory returns a torch.nn.Module")
    _check_classifier(path, network, num_classes)
    if not any(parameter.is_meta for parameter in network.parameters()):  # those have shapes and cannot answer
        _check_answers(path, network, _random_images(in_channels, image_size))
    return network.train()


def _random_images(in_channels: int, image_size: int) -> Tensor:
    """Of either sign, as normalised images are."""
    return torch.randn(ASKED, in_channels, image_size, image_size, generator=torch.Generator())


def _factory(path: str) -> Any:
    module, _, attribute = path.partition(":")
    for folder in (Path.cwd(), paths.root()):  # last, so that nothing that is installed is hidden
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    try:
        found = import_module(module)
    except Exception as error:  # a stranger's file may raise anything
        where = f"it is looked for in {Path.cwd()}, in {paths.root()} and on PYTHONPATH"
        raise _refusal(path, f"module {module!r} cannot be imported ({_short(error)})", where) from error
    public = [name for name, value in vars(found).items() if callable(value) and not name.startswith("_")]
    return getattr(found, choice(f"factory in {module}", attribute, public))


def _sources(path: str) -> list[Path]:
    """The file that defines a factory, wherever its path imports it from; of a partial, where it is filled in, too."""
    factory, named = _factory(path), sys.modules[path.partition(":")[0]]
    modules = [named] if isinstance(factory, partial) else []
    while isinstance(factory, partial):
        factory = factory.func
    modules.append(sys.modules.get(getattr(factory, "__module__", ""), named))
    files = [getattr(module, "__file__", None) or "" for module in modules]
    if not all(file.endswith(".py") for file in files):
        raise _refusal(path, "it has no source file", "a network is known by the file that defines it")
    return list(dict.fromkeys(map(Path, files)))


def _check_classifier(path: str, network: nn.Module, num_classes: int) -> None:
    rule = f"it must have `classifier`, a torch.nn.Linear with bias from its features to the {num_classes} classes"
    classifier = getattr(network, "classifier", None)
    if not isinstance(classifier, nn.Linear) or classifier.bias is None:
        linear = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)]
        told = f"; its linear layers are {', '.join(linear)}" if linear else ""
        raise _refusal(path, f"its classifier is {type(classifier).__name__}{told}", rule)
    if classifier.out_features != num_classes:
        raise _refusal(path, f"its classifier is {classifier.out_features} x {classifier.in_features} (K x D)", rule)
    for name, found in (("weight", classifier.weight), ("bias", classifier.bias)):
        if type(found) is not nn.Parameter or not found.requires_grad:
            frozen = "frozen" if type(found) is nn.Parameter else f"a {type(found).__name__}, computed from others"
            plain = "mu and the account of it follow a plain, trainable torch.nn.Parameter: no weight_norm there"
            raise _refusal(path, f"its classifier.{name} is {frozen}", plain)


def check_trainable(name: str, network: nn.Module, in_channels: int, image_size: int) -> None:
    """ValueError where training could not move all of the network ``name``, if it is a factory's; it sees images."""
    if not is_one(name):
        return
    logits = network.train()(_random_images(in_channels, image_size))[2]
    if logits.requires_grad:
        logits.sum().backward()
    if still := [name for name, parameter in network.named_parameters() if parameter.grad is None]:
        more = f" and {len(still) - 3} more" * (len(still) > 3)
        rule = "what is trained must have one everywhere: no no_grad or detach in forward, nothing frozen or unused"
        raise _refusal(
            name.partition("@")[0], f"no gradient reaches {', '.join(still[:3])}{more} from its logits", rule
        )


def _check_answers(path: str, network: nn.Module, images: Tensor) -> None:
    """Ask it as it is judged, and twice as it is trained; nothing of the images stays in its batch norms."""
    state, trained = copy.deepcopy(network.state_dict()), list[list[Tensor]]()
    for training in (False, True, True):
        answer = _asked(path, network.train(training), images)
        _check_answer(path, network, answer)
        network.load_state_dict(state)
        trained += [[*answer[0], *answer[1:]]] * training
    pairs = zip(*trained, strict=True)
    if not all(torch.allclose(one, other, rtol=1e-3, atol=1e-4, equal_nan=True) for one, other in pairs):
        rule = "it must answer by the images and its state_dict alone, or no run can be repeated or resumed"
        raise _refusal(path, "asked twice in training for the same images, it gives two answers", rule)


def _asked(path: str, network: nn.Module, images: Tensor) -> Any:
    """Its answer; ValueError where there is none, where it draws at random, and where it changes the images."""
    mode, given, before = "in training" if network.training else "in evaluation", images.clone(), _random_states()
    try:
        with torch.no_grad():
            answer = network(given)
    except Exception as error:
        wrong = f"it cannot take images {tuple(images.shape)} {mode} ({_short(error)})"
        raise _refusal(path, wrong, "its input is B x C x S x S") from error
    if drawn := [name for name, state in _random_states().items() if state != before[name]]:
        rule = (
            "no seed gives that, so no run could be repeated or resumed. Leave dropout and stochastic depth out (p=0)"
        )
        raise _refusal(path, f"{mode} it draws at random (by {', '.join(drawn)})", rule)
    if not torch.equal(given, images):
        rule = "the networks of a group share them. Take x = x - 0.5 in place of x -= 0.5, and no inplace=True there"
        raise _refusal(path, f"{mode} it writes into its images", rule)
    return answer


def _random_states() -> dict[str, object]:
    """What draws come from, by the module that makes them."""
    state = torch.get_rng_state().numpy().tobytes()
    return {"torch": state, "numpy": pickle.dumps(np.random.get_state()), "random": random.getstate()}


def _check_answer(path: str, network: nn.Module, answer: Any) -> None:
    rule = "forward returns (maps, features, logits)"
    if not isinstance(answer, tuple | list) or len(answer) != 3 or not isinstance(answer[0], tuple | list):
        raise _refusal(path, f"forward returns {_described(answer)}", rule)
    maps, features, logits = answer
    if len(maps) != MAPS or any(not isinstance(one, Tensor) or one.dim() != 4 for one in maps):
        raise _refusal(path, f"its maps are {_described(maps)}", f"there must be {MAPS}, each B x C x H x W")
    classifier: Any = network.classifier
    for name, found, width in (
        ("features", features, classifier.in_features),
        ("logits", logits, len(classifier.bias)),
    ):
        if not isinstance(found, Tensor) or tuple(found.shape) != (ASKED, width):
            raise _refusal(path, f"its {name} are {_described(found)}", f"for its classifier they must be B x {width}")
    with torch.no_grad():
        expected = classifier(features)
    if not torch.allclose(logits, expected, rtol=1e-3, atol=1e-4):
        furthest = float((logits - expected).abs().max())
        rule = "they must be classifier(features) alone, as mu and the account of it assume"
        raise _refusal(path, f"its logits are up to {furthest:.2g} from what its classifier says of its features", rule)


def _refusal(path: str, wrong: str, rule: str) -> ValueError:
    return ValueError(f"network {path}: {wrong}; {rule}. See the page 'Bring your own'.")


def _described(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        return f"{len(value)} things ({', '.join(map(_described, value[:5]))})"
    return f"a {type(value).__name__}"


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}"
