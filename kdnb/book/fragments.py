"""The figures that an executed notebook holds: fragments of :mod:`kdnb.book.drawing`, and widgets' saved state."""

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STATE, VIEW = (f"application/vnd.jupyter.widget-{kind}+json" for kind in ("state", "view"))
_BOX = re.compile(r'<div id="([^"]+)" class="kdnb-figure"[^>]* aria-label="([^"]*)"')
_SPEC = re.compile(r'<script type="application/json" data-kdnb-figure="([^"]+)">(.*?)</script>', re.S)

Notebook = Any  # nbformat's NotebookNode has no types


@dataclass(frozen=True)
class Drawn:
    """A figure of a notebook as it is first shown: its id on the page, its sentence, its JSON, and its output."""

    name: str
    alt: str
    spec: Mapping[str, Any]
    output: Any
    steps: Sequence[Mapping[str, Any]]  # all that a slider can bring, or the one


def figures(notebook: Notebook) -> Iterator[Drawn]:
    """Every figure of ``notebook``, in its order."""
    state = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            yield from _fragments(output, "".join(data.get("text/html", "")))
            if view := data.get(VIEW):
                yield from _widgets(output, state, view["model_id"])


def unpack(packed: Mapping[str, Any], index: int) -> dict[str, Any]:
    """Figure number ``index`` of what a stepper packed, as stepper.js draws it."""
    step = packed["steps"][index]
    shared = packed["data"] or [{}] * len(step["data"])
    traces = [{**whole, **own} for whole, own in zip(shared, step["data"], strict=True)]
    return {"data": traces, "layout": {**packed["layout"], **step["layout"]}}


def _fragments(output: Any, text: str) -> Iterator[Drawn]:
    labels = {name: html.unescape(label) for name, label in _BOX.findall(text)}
    for name, body in _SPEC.findall(text):
        spec = json.loads(body)
        yield Drawn(name, labels[name], spec, output, [spec])


def _widgets(output: Any, state: Mapping[str, Any], model: str) -> Iterator[Drawn]:
    """The steppers' and explorers' views at or below ``model`` in the saved state."""
    own = state.get(model, {}).get("state", {})
    for child in own.get("children", ()):
        yield from _widgets(output, state, child.removeprefix("IPY_MODEL_"))
    if "steps" in own.get("figures", {}):
        packed, index = own["figures"], own["index"]
        every = [unpack(packed, place) for place in range(len(packed["steps"]))]
        said = f" Shown: {own['labels'][index]}." if own["labels"] else ""
        yield Drawn(own["name"], own["alt"] + said, every[index], output, every)
    for place, still in own.get("data", {}).get("stills", {}).items():
        made = [{"layout": {"meta": sweep["made"]}} for sweep in own["data"]["sweeps"]]
        yield Drawn(f"{own['name']}-{place}", still["alt"], still["spec"], output, made)
