"""Panels of a picture: which axes there are, what they hold, their scales, ranges, ticks and titles."""

import html
import re
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from kdnb.book.pictures import marks
from kdnb.book.pictures.marks import Panel, Spec, array, rgba

INK, GRID, AXIS = "#1b1f24", "rgba(128,128,128,0.25)", "rgba(128,128,128,0.6)"  # the light theme's
_SMALL = {
    "sub": str.maketrans("0123456789st", "₀₁₂₃₄₅₆₇₈₉ₛₜ"),
    "sup": str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"),
}


def plain(text: str) -> str:
    """Plotly's HTML as plain text: lines, and small digits where there are such letters."""
    text = re.sub(r"<br ?/?>", "\n", text)
    text = re.sub(r"<(su[bp])>(.*?)</\1>", lambda found: found[2].translate(_SMALL[found[1]]), text)
    return html.unescape(re.sub(r"<[^>]*>", "", text)).replace("$", r"\$")


def pair_of(trace: Spec) -> tuple[str, str]:
    """The axes of a trace, such as ("x2", "y")."""
    return trace.get("xaxis", "x"), trace.get("yaxis", "y")


def axis_of(layout: Spec, name: str) -> Spec:
    """What ``layout`` says of the axis ``name``."""
    found: Spec = layout.get(f"{name[0]}axis{name[1:]}", {})
    return found


def title_of(part: Spec) -> str:
    """The title of a layout, an axis or a colour bar."""
    title = part.get("title", "")
    return plain(title if isinstance(title, str) else title.get("text", ""))


def _root(layout: Spec, name: str) -> str:
    """The axis whose range ``name`` shares."""
    return str(axis_of(layout, name).get("matches", name))


def categories(layout: Spec, traces: Sequence[Spec], name: str) -> list[str]:
    """The names along an axis, those of all axes that match it; none where there are numbers."""
    known = list(map(str, axis_of(layout, name).get("categoryarray", ())))
    alike = [trace for trace in traces if _root(layout, name) in {_root(layout, own) for own in pair_of(trace)}]
    every = [value for trace in alike for value in trace.get(name[0], ())]
    named = any(isinstance(value, str) for value in every)
    return list(dict.fromkeys([*known, *map(str, every)])) if named else []


def limit(layout: Spec, panels: Mapping[tuple[str, str], Panel], traces: Sequence[Spec]) -> None:
    """Scales, ticks and ranges; axes that match get one range that holds the data of all."""
    for pair, panel in panels.items():
        mine = [trace for trace in traces if pair_of(trace) == pair]
        marked = any(trace["type"] == "bar" or marks.is_marked(trace) for trace in mine)
        pictured = any(trace["type"] in ("heatmap", "image") for trace in mine)
        panel.axes.margins(x=0.05 if marked else 0, y=0 if pictured else 0.05)
        for name in pair:
            _scale(panel, axis_of(layout, name), name[0])
            _outline(panel, axis_of(layout, name), name[0])
    for place, letter in enumerate("xy"):
        for root in {_root(layout, pair[place]) for pair in panels}:
            _share(layout, {pair: own for pair, own in panels.items() if _root(layout, pair[place]) == root}, letter)


def _share(layout: Spec, alike: Mapping[tuple[str, str], Panel], letter: str) -> None:
    ends = np.array([getattr(panel.axes, f"get_{letter}lim")() for panel in alike.values()])
    low, high = float(ends.min()), float(ends.max())
    if count := max(len(panel.names[letter]) for panel in alike.values()):
        low, high = -0.5, count - 0.5
    given = [axis_of(layout, pair["xy".index(letter)]) for pair in alike]
    for axis in given:
        if axis.get("rangemode") == "tozero":
            low = min(low, 0.0) if low < 0 else 0.0
        if "range" in axis:
            low, high = (10.0**end if axis.get("type") == "log" else end for end in axis["range"])
    if any(axis.get("autorange") == "reversed" for axis in given):
        low, high = high, low
    for panel in alike.values():
        getattr(panel.axes, f"set_{letter}lim")(low, high)


def _scale(panel: Panel, axis: Spec, letter: str) -> None:
    """Type, ticks and their labels."""
    drawn = getattr(panel.axes, f"{letter}axis")
    if axis.get("type") == "log":
        getattr(panel.axes, f"set_{letter}scale")("log")
        drawn.set_major_locator(LogLocator(10))
        drawn.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        drawn.set_minor_locator(NullLocator())
    elif "tickvals" in axis:
        given = panel.places(letter, array(axis["tickvals"]))
        drawn.set_ticks(given, axis.get("ticktext", panel.names[letter] and list(map(str, axis["tickvals"]))) or None)
    elif names := panel.names[letter]:
        drawn.set_ticks(range(len(names)), names)
    if shown := axis.get("tickformat"):
        drawn.set_major_formatter(FuncFormatter(lambda value, _: format(value, shown)))
    labelled = axis.get("showticklabels", True)
    look = {"color": rgba(AXIS), "labelcolor": INK, "length": 5 if axis.get("ticks") != "" else 0}
    drawn.set_tick_params(**look, labelleft=labelled, labelbottom=labelled)
    if angle := axis.get("tickangle"):
        for label in drawn.get_ticklabels():
            label.set(rotation=-angle, ha="right" if angle < 0 else "left", rotation_mode="anchor", va="center")


def _outline(panel: Panel, axis: Spec, letter: str) -> None:
    """Grid, line and title."""
    drawn, seen = getattr(panel.axes, f"{letter}axis"), axis.get("visible", True)
    if axis.get("showgrid", True):
        drawn.grid(color=rgba(GRID), linewidth=1)
    panel.axes.set_axisbelow(True)
    near, far = ("bottom", "top") if letter == "x" else ("left", "right")
    panel.axes.spines[far].set_visible(False)
    panel.axes.spines[near].set(visible=seen and axis.get("showline", True), color=rgba(AXIS))
    drawn.set_visible(seen)
    drawn.set_label_text(title_of(axis))
    if "scaleanchor" in axis:
        panel.axes.set_aspect("equal")
