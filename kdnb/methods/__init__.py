"""How a student learns: each method turns outputs into named loss terms, already weighted, whose sum is trained.

Every file of this folder that defines a :class:`kdnb.methods.base.Method` adds one; nothing else has to be told.
"""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from math import isfinite
from pathlib import Path
from traceback import extract_tb
from typing import Any

from torch import Tensor

from kdnb import registry
from kdnb.checks import choice
from kdnb.methods.base import Method, Step, check_kind

METHODS: dict[str, type[Any]] = registry.find(__name__, __path__, Method)
for _kind in METHODS.values():
    check_kind(_kind)
registry.by_name(METHODS.values(), "label")  # of two that figures call alike one would stand for the other
SHORT = {"temperature": "T", "alpha": "a"}  # parameters that every study varies: in names even at their defaults


def parameter_names(name: str) -> list[str]:
    """The parameters method ``name`` takes."""
    return [field.name for field in fields(METHODS[choice("method", name, METHODS)])]


class Fault(ValueError):
    """What a method's code raised, with its name and its line."""


def fault(name: str, error: Exception) -> Fault:
    """``error``, raised where method ``name`` was at work, in one line; a refusal that names the method stays."""
    first = (str(error).splitlines() or [""])[0]
    if isinstance(error, ValueError) and first.startswith("method "):
        return Fault(first)
    own = files(name)
    inner = [frame for frame in extract_tb(error.__traceback__) if frame.filename in own][-1:]
    place = "/".join(Path(inner[0].filename if inner else own[0]).parts[-3:])
    line = f":{inner[0].lineno}" if inner else ""
    return Fault(f"method {name!r} ({place}{line}): {type(error).__name__}: {first}")


def files(name: str) -> list[str]:
    """The files that define method ``name``: its own, then those of methods that it builds on."""
    kinds = [kind for kind in METHODS[name].__mro__ if issubclass(kind, Method) and kind is not Method]
    return list(dict.fromkeys(inspect.getfile(kind) for kind in kinds))


def needed(names: Iterable[str]) -> frozenset[str]:
    """Which of the teacher's outputs the methods ``names`` learn from, together."""
    return frozenset[str]().union(*(METHODS[name].needs for name in names))


def create(name: str, parameters: Mapping[str, float] | None = None) -> Method:
    """The method ``name``; ValueError for an unknown name, an unknown parameter or a value out of range.

    A truth value may come as the number that :func:`parameters_of` made of it.
    """
    given = dict(parameters or {})
    known = {field.name: field.type for field in fields(METHODS[choice("method", name, METHODS)])}
    for parameter, value in given.items():
        if not known:
            raise ValueError(f"method {name!r} takes no parameters; it was given {parameter!r}.")
        choice(f"parameter of method {name!r}", parameter, known)
        if known[parameter] is bool:
            if value not in (0, 1):
                raise ValueError(f"{parameter} is {value!r}; it must be 1 (true) or 0 (false).")
            given[parameter] = bool(value)
    method: Method = METHODS[name](**given)
    return method


def terms(method: Method, step: Step) -> list[Tensor]:
    """The loss terms in the order of ``method.term_names``; ValueError when it returned others, or no scalars."""
    found = method.terms(step)
    if not isinstance(found, dict):
        what = type(found).__name__
        raise ValueError(f"method {method.name!r} returned a {what}; terms returns a dictionary of scalars by name.")
    for name, term in found.items():
        if not isinstance(term, Tensor) or term.ndim:
            what = f"of shape {tuple(term.shape)}" if isinstance(term, Tensor) else f"a {type(term).__name__}"
            rule = "a term is a tensor without dimensions: take the mean over the batch, and no .item()"
            raise ValueError(f"method {method.name!r}: the term {name!r} is {what}; {rule}.")
    if set(found) != set(method.term_names):
        raise ValueError(f"method {method.name!r} returned the terms {list(found)}; term_names: {method.term_names}.")
    return [found[name] for name in method.term_names]


def parameters_of(method: Any) -> dict[str, float]:
    """All parameters of a method with their values, defaults included: numbers all, as ``spec.json`` keeps them."""
    return {name: float(value) for name, value in asdict(method).items()}


def parse(text: str) -> tuple[str, dict[str, float]]:
    """``"simkd:factor=4"`` as ("simkd", {"factor": 4.0}); ValueError for what is no such text."""
    name, _, rest = text.partition(":")
    given: dict[str, float] = {}
    for part in filter(None, rest.split(",")):
        key, _, value = part.partition("=")
        try:
            given[key.strip()] = float(value)
        except ValueError:
            raise ValueError(f"method {text!r}: {part!r} must be name=number, as in 'simkd:factor=4'.") from None
        if not isfinite(given[key.strip()]):
            raise ValueError(f"method {text!r}: {key.strip()} is {value.strip()}; it must be a finite number.")
    return name, given


def varied(name: str, parameters: Mapping[str, float]) -> dict[str, float]:
    """The parameters that tell a run of method ``name`` from others of it: those that studies vary, and odd ones."""
    odd = _odd(name, parameters)
    return {key: value for key, value in parameters.items() if key in SHORT or key in odd}


def _odd(name: str, parameters: Mapping[str, float]) -> dict[str, float]:
    """The parameters that are not at their defaults."""
    usual = parameters_of(METHODS[name]()) if name in METHODS else {}
    return {key: value for key, value in parameters.items() if value != usual.get(key)}


def label(name: str, parameters: Mapping[str, float]) -> str:
    """What a run is called in figures, which are of one alpha: "KD T=4", "SimKD", "SimKD factor=4"."""
    if name not in METHODS:
        return name
    kind, odd = METHODS[name], _odd(name, parameters)
    swept = [f"{SHORT[kind.swept]}={parameters[kind.swept]:g}"] if kind.swept else []
    others = [f"{key}={value:g}" for key, value in odd.items() if key not in ("alpha", kind.swept)]
    return " ".join([kind.label, *swept, *others]) + (", labels alone" if parameters.get("alpha") == 0 else "")
