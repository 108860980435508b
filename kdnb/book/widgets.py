"""Widgets that live without a kernel and without a network: the figure, the stepper, the menu and the explorer.

A static page has no Python: only links between widgets in JavaScript work there. The stepper is an ipywidgets slider
and a play button linked to a small anywidget that holds all figures as JSON and draws one of them with the page's
Plotly. The explorer is several such controls linked to an anywidget that computes its four plots from packed runs.
In JupyterLab and Colab Python callbacks on their controls work as well, and Plotly comes from the kernel's machine.
"""

import gzip
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import anywidget
import ipywidgets as widgets
import plotly.graph_objects as go
import traitlets
from plotly.offline import get_plotlyjs, get_plotlyjs_version

from kdnb import surroundings
from kdnb.analysis.students import PEAK
from kdnb.book import explorer_data
from kdnb.book.drawing import compact, plots, script
from kdnb.checks import choice
from kdnb.figures.exhibit import Exhibit, check


def _shared(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first, *others = parts
    return {key: value for key, value in first.items() if all(key in o and o[key] == value for o in others)}


def _own(part: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key not in shared}


def pack(figures: Sequence[go.Figure]) -> dict[str, Any]:
    """Return ``figures`` as {layout, data, steps}: what all share once, and each one's own part.

    A step's figure is its own traces and layout laid over the shared ones. Figures may have different numbers of
    traces; then traces share nothing.
    """
    specs = [compact(figure) for figure in figures]
    layout = _shared([spec["layout"] for spec in specs])
    width = len(specs[0]["data"])
    alike = all(len(spec["data"]) == width for spec in specs)
    data = [_shared([spec["data"][i] for spec in specs]) for i in range(width)] if alike else []
    empty: dict[str, Any] = {}
    steps = [
        {
            "layout": _own(spec["layout"], layout),
            "data": [_own(trace, data[i] if alike else empty) for i, trace in enumerate(spec["data"])],
        }
        for spec in specs
    ]
    return {"layout": layout, "data": data, "steps": steps}


class PlotlySource(widgets.Widget):  # type: ignore[misc]
    """Plotly's script from the installed wheel, for the views of one kernel: no network, and sent once."""

    gzipped = traitlets.Bytes().tag(sync=True)
    _made: ClassVar["PlotlySource | None"] = None

    @classmethod
    def of_kernel(cls) -> "PlotlySource | None":
        """The kernel's one source; None where a page of the book will draw, which has a copy of its own."""
        if not surroundings.is_live():
            return None
        if cls._made is None or cls._made.comm is None:  # none, or somebody closed all widgets
            cls._made = cls(gzipped=gzip.compress(get_plotlyjs().encode()))
        return cls._made


class PlotlyView(anywidget.AnyWidget):
    """A view that draws with Plotly: the page's own, else that of ``source``."""

    name = traitlets.Unicode().tag(sync=True)
    plotly = traitlets.Unicode(get_plotlyjs_version()).tag(sync=True)
    source = traitlets.Instance(PlotlySource, allow_none=True).tag(sync=True, **widgets.widget_serialization)

    def __init__(self, **given: Any) -> None:
        if colab := sys.modules.get("google.colab"):
            colab.output.enable_custom_widget_manager()
        super().__init__(source=PlotlySource.of_kernel(), layout={"width": "100%"}, **given)


class FigureView(PlotlyView):
    """Draws figure number ``index`` of ``figures`` (packed by `pack`); ``labels``: what a slider calls them."""

    _esm = script("stepper.js")
    _css = script("tools.css", shared=False)
    figures = traitlets.Dict().tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)


class Stepper(widgets.VBox):  # type: ignore[misc]
    """A slider, a play button and the view they move, linked in JavaScript."""

    def __init__(self, view: FigureView, slider: widgets.SelectionSlider, play: widgets.Play) -> None:
        self.view, self.slider, self.play = view, slider, play
        links = [((play, "value"), (slider, "index")), ((slider, "index"), (view, "index"))]
        for source, target in links:
            widgets.jslink(source, target)
        row = widgets.HBox(
            [play, slider], layout=widgets.Layout(align_items="center", width="100%", flex_flow="row wrap")
        )
        super().__init__([row, view], layout=widgets.Layout(width="100%"))


def view(exhibit: Exhibit) -> FigureView:
    """Return a widget that shows the one figure of an exhibit."""
    return FigureView(figures=pack(exhibit.figures), name=exhibit.name, alt=exhibit.alt)


def stepper(exhibit: Exhibit) -> Stepper:
    """Return a widget that shows one of an exhibit's figures at a time, chosen with a slider or played.

    The figures are alike in kind; what they share is stored once. Raises: ValueError when ``start`` is no label.
    """
    labels = exhibit.labels
    index = 0 if exhibit.start is None else labels.index(choice("start", exhibit.start, labels))
    figures = pack(exhibit.figures)
    shown = FigureView(figures=figures, labels=labels, name=exhibit.name, alt=exhibit.alt, index=index)
    play, slider = _player(labels, exhibit.step, index)
    return Stepper(shown, slider, play)


def menu(shown: Mapping[str, FigureView | Stepper], description: str) -> widgets.VBox:
    """Return a menu over figures, of which one at a time is on the page; ``description``: what it chooses.

    Classes of the menu name all of them in its order: a link to one leads access.js to its entry.
    """
    choice_of, parts = _menu(description, shown), list(shown.values())
    for part in parts:
        choice_of.add_class(f"shows-{(part.view if isinstance(part, Stepper) else part).name}")
    whole = widgets.Layout(width="100%")
    if hasattr(widgets, "Stack"):
        seen = widgets.Stack(parts, selected_index=0, layout=whole)
        widgets.jslink((choice_of, "index"), (seen, "selected_index"))
    else:  # ipywidgets 7, as Colab has it: there is no stack there, but a kernel
        seen = widgets.VBox(parts[:1], layout=whole)
        choice_of.observe(lambda change: seen.set_trait("children", [parts[change.new]]), "index")
    return widgets.VBox([choice_of, seen], layout=whole)


def _player(labels: Sequence[str], description: str, index: int) -> tuple[widgets.Play, widgets.SelectionSlider]:
    """A slider over ``labels`` and the button that plays it; whoever shows them links ``value`` to ``index``."""
    slider = widgets.SelectionSlider(
        options=list(labels),
        index=index,
        description=description,
        continuous_update=True,
        style={"description_width": "initial"},
        layout=widgets.Layout(width="auto", flex="1 1 220px", min_width="0", margin="0 0 0 12px"),
    )
    play = widgets.Play(value=index, min=0, max=len(labels) - 1, interval=900, show_repeat=False)
    return play, slider


class ExplorerView(PlotlyView):
    """Draws mu, loss, r against T, and a map, of what is chosen among ``data`` (of :mod:`kdnb.book.explorer_data`).

    data_set, decay, method, temperature and kind are places in the lists of ``data``; warm_up is a percentage of the
    epochs; followed is the name of a class, empty for none.
    """

    _esm = plots("explorer.js")
    _css = script("explorer.css", shared=False) + script("tools.css", shared=False)
    data = traitlets.Dict().tag(sync=True)
    data_set = traitlets.Int(0).tag(sync=True)
    decay = traitlets.Int(0).tag(sync=True)
    method = traitlets.Int(0).tag(sync=True)
    temperature = traitlets.Int(0).tag(sync=True)
    kind = traitlets.Int(0).tag(sync=True)
    warm_up = traitlets.Int(50).tag(sync=True)
    followed = traitlets.Unicode("").tag(sync=True)


class Explorer(widgets.VBox):  # type: ignore[misc]
    """The view, and its ``controls`` by the name of the trait each of them moves, linked in JavaScript."""

    def __init__(self, view: ExplorerView, controls: Mapping[str, widgets.Widget], play: widgets.Play) -> None:
        self.view, self.controls = view, dict(controls)
        for name, control in controls.items():
            widgets.jslink((control, "index" if "index" in control.keys else "value"), (view, name))
        widgets.jslink((play, "value"), (controls["temperature"], "index"))
        choices = widgets.Box([control for name, control in controls.items() if name != "temperature"])
        row = widgets.Layout(align_items="center", width="100%")
        moving = widgets.HBox([play, controls["temperature"]], layout=row)
        super().__init__([choices.add_class("kdnb-explorer-choices"), moving.add_class("kdnb-explorer-moving"), view])
        self.layout.width = "100%"
        self.add_class("kdnb-explorer")

    @property
    def choice(self) -> dict[str, Any]:
        """What is chosen, by trait of the view."""
        return {name: getattr(self.view, name) for name in self.controls}

    def listen(self, tell: Callable[[dict[str, Any]], str]) -> widgets.HTML:
        """A widget that shows ``tell(choice)``, told anew by Python whenever a control moves: it needs a kernel."""
        told = widgets.HTML(tell(self.choice))
        self.view.observe(lambda _: setattr(told, "value", tell(self.choice)), names=list(self.controls))
        return told


def explorer(content: Mapping[str, Any], *, name: str) -> Explorer:
    """Return the explorer of ``content`` (of :mod:`kdnb.book.explorer_data`), at first near the paper's peak.

    name: the start of its plots' ids on the page
    """
    check(name, "four plots")
    temperatures = content["temperatures"]
    start = min(range(len(temperatures)), key=lambda place: abs(temperatures[place] - PEAK), default=0)
    panels = ExplorerView(data=dict(content), name=name, temperature=start)
    play, slider = _player([f"{t:g}" for t in temperatures] or ["–"], "T", start)
    menus = {
        "data_set": _menu("data", content["sets"]),
        "method": _menu("method", [method["name"] for method in content["methods"]]),
        "decay": _menu("weight decay", [f"{decay:g}" for decay in content["decays"]]),
        "kind": _menu("distance", [kind["name"].replace("<sub>s</sub>", "ₛ") for kind in content["kinds"]]),
    }
    look = {"style": {"description_width": "initial"}}
    warm_up = widgets.IntSlider(50, 0, 90, 5, description="warm-up %", **look)
    names = explorer_data.class_names(content)
    followed = widgets.Combobox(options=names, description="class", placeholder="point at one, or type", **look)
    return Explorer(panels, {**menus, "warm_up": warm_up, "followed": followed, "temperature": slider}, play)


def _menu(description: str, options: Iterable[str]) -> widgets.Dropdown:
    style = {"description_width": "initial"}
    return widgets.Dropdown(options=list(options), index=0, description=description, style=style)
