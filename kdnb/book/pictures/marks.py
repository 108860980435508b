"""The traces of Plotly figures drawn with matplotlib: lines, markers, bars, heat maps, images.

One unit is one pixel: figures have 72 dots an inch, so Plotly's widths and sizes hold as they are.
"""

import base64
import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

Spec = Mapping[str, Any]
DASHES: dict[str, Any] = {
    "solid": "-",
    "dot": (0, (1, 1.5)),
    "dash": (0, (5, 3)),
    "longdash": (0, (8, 3)),
    "dashdot": (0, (5, 2, 1, 2)),
    "longdashdot": (0, (8, 3, 1, 3)),
}
SYMBOLS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "cross": "P",
    "line-ew": "_",
}
FEW = 20  # points that Plotly marks when a trace does not say how it is drawn
MANY = 400  # markers; more of them become one embedded image, or the drawing would be larger than the page


@dataclass
class Panel:
    """One pair of axes, and what has been drawn there: names on the axes, heights of bars."""

    axes: Axes
    names: Mapping[str, Sequence[str]]  # by "x" or "y": the categories, empty for numbers
    dense: bool  # the figure has many markers
    stacked: dict[tuple[float, bool], float] = field(default_factory=lambda: defaultdict(float))

    def places(self, letter: str, values: Any) -> np.ndarray:
        """Numbers as they are, nan for gaps; categories by their place."""
        if names := self.names[letter]:
            return np.array([list(names).index(str(value)) for value in values], float)
        return np.array([np.nan if value is None else value for value in values], float)


def array(value: Any) -> Any:
    """Plotly's typed arrays as numpy, everything else as it is."""
    if not isinstance(value, dict) or "bdata" not in value:
        return value
    flat = np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"]).newbyteorder("<"))
    return flat.reshape([int(size) for size in value["shape"].split(",")]) if "shape" in value else flat


def rgba(color: str, opacity: float = 1) -> tuple[float, float, float, float]:
    """A CSS colour as matplotlib's, ``opacity`` on top of its own."""
    if not color.startswith("rgb"):
        return to_rgba(color, opacity)
    red, green, blue, *alpha = (float(part) for part in re.findall(r"[\d.]+", color))
    return red / 255, green / 255, blue / 255, opacity * (alpha[0] if alpha else 1.0)


def colormap(look: Spec) -> Colormap:
    """The colour scale of a trace or its markers; Viridis unless it says another."""
    pairs = look.get("colorscale") or "viridis"
    if isinstance(pairs, str):
        raise ValueError(f"colour scale {pairs!r} is not spelt out; give its colours, as Plotly's figures do.")
    made = LinearSegmentedColormap.from_list("given", [(float(at), rgba(color)) for at, color in pairs])
    return made.reversed() if look.get("reversescale") else made


def mode(trace: Spec) -> str:
    """How a scatter trace is drawn; ValueError for what is more than lines and markers."""
    count = len(trace.get("y", ()))
    asked = str(trace.get("mode", "lines+markers" if count < FEW else "lines"))
    if odd := set(asked.split("+")) - {"lines", "markers", "none"}:
        raise ValueError(f"a scatter trace has mode {asked!r}; a picture knows lines and markers, not {odd.pop()}.")
    return asked


def is_marked(trace: Spec) -> bool:
    """Whether a trace has markers."""
    return trace["type"] in ("scatter", "scattergl") and "markers" in mode(trace)


def _symbol(marker: Spec) -> tuple[str, bool]:
    name = str(marker.get("symbol", "circle"))
    plain = name.removesuffix("-open")
    if plain not in SYMBOLS:
        raise ValueError(f"marker {name!r} has no counterpart in a picture; known: {', '.join(SYMBOLS)}.")
    return SYMBOLS[plain], name.endswith("-open") and plain != "line-ew"


def line_look(trace: Spec, color: str) -> dict[str, Any]:
    """Colour, width and dashes of a trace's line."""
    look = trace.get("line", {})
    return {
        "color": rgba(look.get("color", color), trace.get("opacity", 1)),
        "linewidth": look.get("width", 2),
        "linestyle": DASHES[look.get("dash", "solid")],
    }


def scatter(panel: Panel, trace: Spec, color: str, name: str) -> ScalarMappable | None:
    """A line, its markers and their error bars; what a colour bar needs, where there is one."""
    x, y = (panel.places(letter, trace.get(letter, range(len(trace["y"])))) for letter in "xy")
    drawn = mode(trace)
    if "lines" in drawn:
        panel.axes.plot(x, y, gid=name, **line_look(trace, color))
    if bars := trace.get("error_y"):
        ends = [panel.places("y", array(bars[side])) for side in ("arrayminus", "array")]
        panel.axes.errorbar(x, y, ends, fmt="none", ecolor=rgba(bars.get("color", color)), elinewidth=2, capsize=4)
    return _markers(panel, trace, color, name, x, y) if "markers" in drawn else None


def _markers(panel: Panel, trace: Spec, color: str, name: str, x: np.ndarray, y: np.ndarray) -> ScalarMappable | None:
    marker = trace.get("marker", {})
    shape, hollow = _symbol(marker)
    edge = marker.get("line", {})
    given = array(marker.get("color", trace.get("line", {}).get("color", color)))
    scaled = not isinstance(given, str) and not isinstance(given[0], str)
    opacity = marker.get("opacity", trace.get("opacity", 1))
    listed = [given] if isinstance(given, str) else given
    colors = np.asarray(given, float) if scaled else [rgba(one, opacity) for one in listed]
    look: dict[str, Any] = {"c": colors, "cmap": colormap(marker)} if scaled else {"c": colors}
    if hollow:
        look = {"facecolors": "none", "edgecolors": colors, "linewidths": edge.get("width", 1.5)}
    elif shape == "_":
        look |= {"linewidths": edge.get("width", 2)}
    else:
        rim = edge.get("color", trace.get("line", {}).get("color", "#444444"))
        look |= {"edgecolors": [rgba(rim, opacity)], "linewidths": edge.get("width", 0)}
    area = np.asarray(array(marker.get("size", 6)), float) ** 2
    made = panel.axes.scatter(x, y, s=area, marker=shape, gid=f"{name}-marks", zorder=2.5, **look)
    made.set_rasterized(panel.dense)
    return made if scaled else None


def bar(panel: Panel, trace: Spec, color: str, name: str) -> None:
    """Bars, those of one sign on top of each other."""
    x, y = (panel.places(letter, trace.get(letter, range(len(trace["y"])))) for letter in "xy")
    floors = [panel.stacked[place, value < 0] for place, value in zip(x, y, strict=True)]
    for place, value in zip(x, np.nan_to_num(y), strict=True):
        panel.stacked[place, value < 0] += value
    made = panel.axes.bar(x, y, 0.8, floors, color=rgba(trace.get("marker", {}).get("color", color)))
    for place, one in enumerate(made):
        one.set_gid(f"{name}-bar-{place}")


def heatmap(panel: Panel, trace: Spec, color: str, name: str) -> ScalarMappable:
    """Numbers as colours, a row of ``z`` along x."""
    z = np.asarray(array(trace["z"]), float)
    limits = Normalize(trace.get("zmin", np.nanmin(z)), trace.get("zmax", np.nanmax(z)))
    return panel.axes.imshow(z, cmap=colormap(trace), norm=limits, origin="lower", aspect="auto", gid=name)


def image(panel: Panel, trace: Spec, color: str, name: str) -> None:
    """A picture that the figure carries."""
    data = base64.b64decode(trace["source"].partition("base64,")[2])
    panel.axes.imshow(np.asarray(Image.open(io.BytesIO(data))), interpolation="nearest", gid=name)


DRAW = {"scatter": scatter, "scattergl": scatter, "bar": bar, "heatmap": heatmap, "image": image}


def key(trace: Spec, color: str) -> Line2D | Patch:
    """What stands for a trace in the legend."""
    if trace["type"] == "bar":
        return Patch(color=rgba(trace.get("marker", {}).get("color", color)))
    drawn, marker = mode(trace), trace.get("marker", {})
    look = line_look(trace, color) if "lines" in drawn else {"linestyle": "none"}
    if "markers" not in drawn:
        return Line2D([], [], **look)
    shape, hollow = _symbol(marker)
    given = array(marker.get("color", trace.get("line", {}).get("color", color)))
    first = given if isinstance(given, str) else given[0] if isinstance(given[0], str) else color
    edge = rgba(marker["line"]["color"]) if marker.get("line", {}).get("color") and not hollow else rgba(first)
    face = "none" if hollow else rgba(first)
    return Line2D([], [], marker=shape, markersize=7, markerfacecolor=face, markeredgecolor=edge, **look)
