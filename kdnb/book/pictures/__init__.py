"""Plotly figures as static pictures, for readers without scripts: SVG drawn with matplotlib from a figure's JSON.

What a picture cannot show (a trace type, a marker, an arrow) is refused by name, never drawn wrongly.
"""

import base64
import html
import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox, BboxTransformTo, Transform, blended_transform_factory
from PIL import Image

from kdnb.book.pictures import marks
from kdnb.book.pictures.marks import Panel, Spec, array, rgba
from kdnb.book.pictures.panels import INK, axis_of, categories, limit, pair_of, plain, title_of
from kdnb.figures.style import COLORWAY

WIDTH = 740  # pixels, the text's width in the book
LARGE = 20_000  # characters of an embedded picture, before it gets a palette
_LOOK: Any = {
    "svg.fonttype": "none",  # text stays text
    "font.family": "sans-serif",
    "font.size": 12,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 13,
    "axes.titlesize": 13,
    "axes.unicode_minus": True,
    "path.simplify_threshold": 0.4,
}


def svg(spec: Spec, name: str, alt: str) -> str:
    """``spec`` (of :func:`kdnb.book.drawing.compact`) as one ``<svg>`` element that says ``alt``.

    Curve number i has the id ``<name>-trace-<i>``. Raises: ValueError naming what a picture cannot show.
    """
    with mpl.rc_context(_LOOK | {"svg.hashsalt": name}):
        try:
            figure = draw(spec, name)
        except ValueError as error:
            raise ValueError(f"figure {name!r} has no static picture: {error}") from error
        file = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", dpi=108, bbox_inches="tight", pad_inches=6 / 72, metadata=nothing)
    return _light(file.getvalue(), name, alt)


def draw(spec: Spec, name: str) -> Figure:
    """``spec`` as a matplotlib figure."""
    layout, traces = spec["layout"], [_checked(trace) for trace in spec["data"]]
    frame = _frame(layout, traces)
    figure = Figure((WIDTH / 72, layout.get("height", 450) / 72), dpi=72)
    panels = _panels(figure, layout, traces, frame)
    scaled = []
    for place, trace in enumerate(traces):
        color = COLORWAY[place % len(COLORWAY)]
        if trace.get("visible", True) is True:
            found = marks.DRAW[trace["type"]](panels[pair_of(trace)], trace, color, f"{name}-trace-{place}")
            scaled += [(trace, found)] if found is not None else []
    limit(layout, panels, traces)
    _decorate(figure, layout, panels, frame)
    _legend(figure, layout, traces, frame)
    for trace, found in scaled:
        _colorbar(figure, trace, found, frame)
    return figure


def _checked(trace: Spec) -> Spec:
    kind = trace.get("type", "scatter")
    if kind not in marks.DRAW:
        raise ValueError(f"a picture knows no trace of type {kind!r}, only {', '.join(marks.DRAW)}.")
    return {**trace, "type": kind, **{letter: array(trace[letter]) for letter in "xyz" if letter in trace}}


# -- where things are --------------------------------------------------------------------------------------------------


def _shown(traces: Sequence[Spec]) -> list[Spec]:
    """The traces of the legend, one a name."""
    several = len(traces) > 1
    listed = [trace for trace in traces if trace.get("showlegend", several) and trace["type"] in ("scatter", "bar")]
    names = [trace.get("name", "") for trace in listed]
    return [trace for place, trace in enumerate(listed) if names[place] not in names[:place]]


def _lines(layout: Spec) -> list[str]:
    return textwrap.wrap(title_of(layout), WIDTH // 7) if title_of(layout) else []


def _frame(layout: Spec, traces: Sequence[Spec]) -> Bbox:
    """What Plotly calls paper, the box of all panels, as shares of the figure."""
    height = layout.get("height", 450)
    longest = max((len(plain(trace.get("name", ""))) for trace in _shown(traces)), default=0)
    beside = 48 + 7 * longest if longest and layout.get("legend", {}).get("orientation") != "h" else 12
    bars = any("colorbar" in part for trace in traces for part in (trace, trace.get("marker", {})))
    above = 12 + 17 * len(_lines(layout)) + 22 * bool(layout.get("annotations"))
    below = 90 if layout.get("legend", {}).get("orientation") == "h" else 52
    return Bbox.from_extents(64 / WIDTH, below / height, 1 - (beside + 60 * bars) / WIDTH, 1 - above / height)


def _panels(figure: Figure, layout: Spec, traces: Sequence[Spec], frame: Bbox) -> dict[tuple[str, str], Panel]:
    names = {name: categories(layout, traces, name) for pair in map(pair_of, traces) for name in pair}
    dense = sum(len(trace["y"]) for trace in traces if marks.is_marked(trace)) > marks.MANY
    made = {}
    for x, y in dict.fromkeys(map(pair_of, traces)):
        (left, right), (low, high) = (axis_of(layout, name).get("domain", (0, 1)) for name in (x, y))
        box = frame.x0 + left * frame.width, frame.y0 + low * frame.height
        axes = figure.add_axes((*box, (right - left) * frame.width, (high - low) * frame.height))
        axes.patch.set_visible(False)
        made[x, y] = Panel(axes, {"x": names[x], "y": names[y]}, dense)
    return made


# -- around the data ---------------------------------------------------------------------------------------------------


def _decorate(figure: Figure, layout: Spec, panels: Mapping[tuple[str, str], Panel], frame: Bbox) -> None:
    """The caption, shapes such as lines across and shaded spans, and the panels' titles."""
    height = layout.get("height", 450)
    figure.text(frame.x0, 1 - 4 / height, "\n".join(_lines(layout)), fontsize=13, va="top", linespacing=1.3)
    for shape in layout.get("shapes", ()):
        _shape(figure, shape, panels, frame)
    for note in layout.get("annotations", ()):
        if note.get("showarrow", True):
            raise ValueError(f"the note {note.get('text')!r} has an arrow, and a picture draws none.")
        up = {"bottom": "bottom", "top": "top"}.get(note.get("yanchor", ""), "center")
        across = {"left": "left", "right": "right"}.get(note.get("xanchor", ""), "center")
        y = note.get("y", 0.5) + note.get("yshift", 0) / (height * frame.height)
        look = {"fontsize": note.get("font", {}).get("size", 12), "ha": across, "va": up}
        transform = _transform(figure, note, panels, frame)
        figure.text(note.get("x", 0.5), y, plain(note["text"]), transform=transform, **look)


def _shape(figure: Figure, shape: Spec, panels: Mapping[tuple[str, str], Panel], frame: Bbox) -> None:
    look = shape.get("line", {})
    x, y = ([shape[f"{letter}{end}"] for end in (0, 1)] for letter in "xy")
    opacity = shape.get("opacity", 1)
    color = rgba(look.get("color", INK), opacity)
    transform = _transform(figure, shape, panels, frame)
    more: dict[str, Any] = {"linewidth": look.get("width", 2), "transform": transform}
    more["zorder"] = 2.2 if shape.get("layer") == "above" else -1
    if shape["type"] == "line":
        figure.add_artist(Line2D(x, y, color=color, linestyle=marks.DASHES[look.get("dash", "solid")], **more))
    elif shape["type"] == "rect":
        fill = rgba(shape.get("fillcolor", "rgba(0,0,0,0)"), opacity)
        sides = x[1] - x[0], y[1] - y[0]
        figure.add_artist(Rectangle((x[0], y[0]), *sides, facecolor=fill, edgecolor=color, **more))
    else:
        raise ValueError(f"a picture knows no shape of type {shape['type']!r}, only line and rect.")


def _transform(figure: Figure, part: Spec, panels: Mapping[tuple[str, str], Panel], frame: Bbox) -> Transform:
    """From the coordinates of a note or shape (data, share of a panel, share of the paper) to the figure's."""
    ways = []
    for place, letter in enumerate("xy"):
        name, _, domain = str(part.get(f"{letter}ref", letter)).partition(" ")
        panel = next((panel for pair, panel in panels.items() if pair[place] == name), None)
        if panel is None:
            ways.append(BboxTransformTo(frame) + figure.transFigure)
        else:
            ways.append(panel.axes.transAxes if domain else panel.axes.transData)
    return blended_transform_factory(*ways)


def _legend(figure: Figure, layout: Spec, traces: Sequence[Spec], frame: Bbox) -> None:
    shown = _shown(traces)
    if not shown:
        return
    keys = [marks.key(trace, COLORWAY[traces.index(trace) % len(COLORWAY)]) for trace in shown]
    flat = layout.get("legend", {}).get("orientation") == "h"
    corner = (frame.x0, frame.y0 - 44 / layout.get("height", 450)) if flat else (frame.x1 + 8 / WIDTH, frame.y1)
    look = {"frameon": False, "borderaxespad": 0, "handlelength": 2.2, "ncols": 3 if flat else 1}
    labels = [plain(trace.get("name", "")) for trace in shown]
    figure.legend(keys, labels, loc="upper left", bbox_to_anchor=corner, **look)


def _colorbar(figure: Figure, trace: Spec, found: ScalarMappable, frame: Bbox) -> None:
    look = trace.get("colorbar") or trace.get("marker", {}).get("colorbar")
    if look is not None:
        axes = figure.add_axes((frame.x1 + 12 / WIDTH, frame.y0, 12 / WIDTH, frame.height))
        bar = figure.colorbar(found, cax=axes)
        bar.outline.set_visible(False)
        axes.set_title(title_of(look), fontsize=12, loc="left")


def _light(text: str, name: str, alt: str) -> str:
    """The ``<svg>`` element alone: no header, a tenth of a pixel is enough, ids only where they are needed."""
    text = text[text.index("<svg") :]
    box = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', text)
    assert box is not None
    open_tag = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {box[0]} role="img" '
        f'aria-label="{html.escape(alt)}" style="display:block;width:100%;max-width:{box[1]}px;background:#fff">'
    )
    text = open_tag + text[text.index(">") + 1 :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(rf'<g id="(?!{re.escape(name)}-trace)[^"]*"', "<g", text)
    text = re.sub(r' (?:d|x|y|transform)="[^"]*"', lambda found: _rounded(found[0]), text)
    text = re.sub(r"(?<=data:image/png;base64,)[^\"]*", lambda found: _few_colors(found[0]), text)
    text = re.sub(r"font-family: [^;\"]*", "font-family: sans-serif", text)
    return re.sub(r"<g([^>]*)>\n((?:<use [^>]*/>\n)+)</g>", _styled_once, re.sub(r"\s*\n\s*", "\n", text))


def _styled_once(found: re.Match[str]) -> str:
    """A group of marks that look alike, with their style on the group."""
    styles = re.findall(r' style="[^"]*"', found[2])
    if len(set(styles)) != 1 or len(styles) != found[2].count("<use") or " style=" in found[1]:
        return found[0]
    return f"<g{found[1]}{styles[0]}>\n{found[2].replace(styles[0], '')}</g>"


def _rounded(numbers: str) -> str:
    short = re.sub(r"\d+\.\d{2,}", lambda found: f"{float(found[0]):.1f}", numbers)
    return re.sub(r"\s+([ML]) ", r"\1", short)


def _few_colors(png: str) -> str:
    """A large picture with a palette: marks have few colours, and it gets several times smaller."""
    if len(png) < LARGE:
        return png
    file = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA").quantize(128).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
