"""The toys, drawn in Chromium without a kernel or a network: their numbers are those of an independent reference."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Read, Reading
from ipywidgets import Widget
from plotly.offline import get_plotlyjs
from scipy.optimize import linear_sum_assignment

from kdnb.book import toys

# What anywidget gives a view: traits that are set, and listeners; nobody behind it.
MODEL = """async ([source, css, traits]) => {
    document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
    const heard = [];
    globalThis.model = {
        get: key => traits[key], save_changes() {},
        set(key, value) {
            traits[key] = value;
            for (const [event, act] of heard) if (event === "change" || event === `change:${key}`) act();
        },
        on: (event, act) => heard.push([event, act]),
    };
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const { default: { render } } = await import(url);
    await render({ model: globalThis.model, el: document.querySelector("main") });
}"""


def opened(reading: Reading, folder: Path, view: Any) -> Reading:
    (folder / "plotly.js").write_text(get_plotlyjs(), encoding="utf-8")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Toy</title>'
    body = '<script src="plotly.js"></script><main class="kdnb-explorer"></main>'
    (folder / "toy.html").write_text(f'<!doctype html><html lang="en">{head}{body}</html>', encoding="utf-8")
    reading.page.goto((folder / "toy.html").as_uri())
    traits = {
        key: getattr(view, key)
        for key in view.keys
        if not key.startswith("_") and key not in ("layout", "tabbable", "tooltip")
    }
    reading.page.evaluate(MODEL, [view._esm, view._css, traits])
    return reading


def numbers(reading: Reading) -> list[float]:
    reading.page.evaluate("() => new Promise(requestAnimationFrame)")  # it is written once a frame
    text = reading.page.locator("[role=status]").inner_text()
    return [float(found.replace("−", "-")) for found in re.findall(r"[−-]?\d+(?:\.\d+)?", text)]


@pytest.mark.parametrize(
    "move", [{}, {"angle": 35}, {"swap": True}, {"scale": 2.0}, {"angle": 200, "swap": True, "scale": 0.5}], ids=str
)
def test_moves_change_mu_and_no_decision(tmp_path: Path, read: Read, move: dict[str, Any]) -> None:
    view = toys.classifiers().view
    reading = opened(read(1000), tmp_path, view)
    for key, value in move.items():
        reading.page.evaluate("([key, value]) => model.set(key, value)", [key, value])
    angle = np.deg2rad(move.get("angle", 0))
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.diag([move.get("scale", 1), 1]) @ np.eye(2)[[1, 0] if "swap" in move else [0, 1]] @ matrix
    data = {key: np.array(value) for key, value in view.data.items()}
    features, weight = data["student_features"] @ matrix.T, data["student"] @ np.linalg.inv(matrix)
    order = linear_sum_assignment(-np.corrcoef(data["teacher_features"].T, features.T)[:2, 2:])[1]
    old, raw, _, matched, equal, count, share, *negative = numbers(reading)
    assert old == pytest.approx(np.linalg.norm(data["teacher"] - data["student"]), abs=6e-4)
    assert raw == pytest.approx(np.linalg.norm(data["teacher"] - weight), abs=6e-4)
    assert matched == pytest.approx(np.linalg.norm(data["teacher"] - weight[:, order]), abs=6e-4)
    assert equal == count == 24 and share == 100 and (raw != old) == bool(move)
    assert negative == ([(features < 0).any(1).sum(), 24] if "angle" in move else [])
    assert (
        np.unique((data["student_features"] @ data["student"].T).argmax(1), return_counts=True)[1].tolist() == [8] * 3
    )
    reading.check()


def pair(seed: int) -> np.ndarray:
    """Both curves of a draw, as two_trends.js says they are, written out anew."""
    state = seed

    def uniform() -> float:
        nonlocal state
        state = (state + 0x6D2B79F5) % 2**32
        t = (state ^ state >> 15) * (1 | state) % 2**32
        t = ((t + (t ^ t >> 7) * (61 | t)) % 2**32) ^ t
        return float((t ^ t >> 14) / 2**32)

    def normal() -> float:
        radius = np.sqrt(-2 * np.log(1 - uniform()))
        return float(radius * np.cos(2 * np.pi * uniform()))

    epochs = np.arange(1, 121)
    curves = []
    for _ in range(2):
        sizes = [normal(), 0.4 * normal()]
        rises = [np.where(epochs > drop, 1 - np.exp((drop - epochs) / 5), 0) for drop in (40, 80)]
        curves.append(np.dot(sizes, rises) + 0.05 * np.array([normal() for _ in epochs]))
    return np.array(curves)


def test_again_draws_the_next_pair(tmp_path: Path, read: Read) -> None:
    reading = opened(read(390), tmp_path, toys.TwoTrendsView(seed=3))
    seen = []
    for draw in (1, 2, 3):
        curves = pair(3 + draw)
        seen.append(numbers(reading)[:3])
        expected = [np.corrcoef(curves)[0, 1], np.corrcoef(np.diff(curves))[0, 1]]
        assert seen[-1][0] == draw and seen[-1][1:] == pytest.approx(expected, abs=6e-3)
        drawn = reading.page.evaluate("document.getElementById('toy-trends-curves').data.map(trace => trace.y)")
        np.testing.assert_allclose(drawn, curves, atol=1e-12)
        again = reading.page.get_by_role("button", name="Again")
        again.focus()
        reading.page.keyboard.press("Enter")
    assert len({r for _, r, _ in seen}) == 3
    reading.page.get_by_role("button", name="100 times").click()
    assert numbers(reading)[0] == 104
    bars = reading.page.evaluate("document.getElementById('toy-trends-r').data.map(trace => trace.y)")
    pairs = [pair(3 + draw) for draw in range(1, 105)]
    for counted, values in zip(
        bars, ([np.corrcoef(f(p))[0, 1] for p in pairs] for f in (np.array, np.diff)), strict=True
    ):
        assert counted == np.histogram(values, np.linspace(-1, 1, 21))[0].tolist()
    assert reading.overflow() <= 0
    reading.page.get_by_role("button", name="From the start").click()
    assert numbers(reading)[:3] == seen[0]
    reading.check()


def test_controls_are_linked_in_javascript_and_the_state_is_small() -> None:
    made = toys.classifiers()
    state = Widget.get_manager_state()["state"].values()
    links = {
        (*item["state"]["source"], *item["state"]["target"]) for item in state if item["model_name"] == "LinkModel"
    }
    view = f"IPY_MODEL_{made.view.model_id}"
    for trait, control in made.controls.items():
        assert (f"IPY_MODEL_{control.model_id}", "value", view, trait) in links
    for one in (made, toys.two_trends()):
        assert len(json.dumps(one.view.get_state(), default=str)) < 40_000
