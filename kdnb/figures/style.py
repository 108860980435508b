"""How figures look: one colour scale of temperature, fixed colours of methods, rounded data, captions."""

import html
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from kdnb.analysis import words
from kdnb.analysis.students import ORDER
from kdnb.analysis.study import Study
from kdnb.figures import origin
from kdnb.methods import METHODS
from kdnb.runs import Run, RunSpec
from kdnb.runs.store import column_of

DIGITS = 4  # significant digits of plotted data: finer than a pixel, and a page stays light
# Okabe and Ito's colours, clear of the temperature scale, each with its own dash for those who see none of them.
NORMAL, DIST, MSE, OTHER = "#d55e00", "#cc79a7", "#e69f00", "#8c8c8c"
LINES = {"normal": (NORMAL, "solid"), "dist": (DIST, "dash"), "mse": (MSE, "dot")}
# Of the other methods: a colour a family, its members by their dashes; normal and KD alone are solid.
DASHES = ("longdash", "dash", "dot", "dashdot", "longdashdot")
FAMILIES = {
    "#4a90ff": ("fitnet", "at", "vid", "semckd"),  # match maps
    "#8e4fb0": ("crd", "srrl", "simkd", "projected", "straight"),  # match features, whosever classifier answers
    "#17becf": ("started", "pulled", "pushed"),  # meddle with a classifier that is trained
    "#ad5a30": ("frozen", "permuted", "rotated", "shuffled", "simplex"),  # never train it: the teacher's, its kin,
    "#b5889b": ("foreign", "random"),  # or what is not the teacher's
}
LINES |= {name: (color, dash) for color, names in FAMILIES.items() for name, dash in zip(names, DASHES, strict=False)}
OWN = [name for name in METHODS if name not in ORDER]  # the reader's methods, in the order of their names
OWN_COLORS = ("#009e73", "#56b4e9", "#b5bd00", "#e0529c", OTHER)
# A symbol a method, those of one's own last: nobody needs colours to tell two apart.
SYMBOLS = [
    *("circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down", "pentagon", "star", "hexagram"),
    *("star-diamond", "hourglass", "bowtie", "triangle-left", "triangle-right"),
]
SYMBOLS += [f"{name}-open" for name in SYMBOLS]
TEACHER, BYSTANDER = "#0072b2", "#8c8c8c"
# Viridis without its ends, which drown in a dark or a white page; luminance rises with T.
COLDEST, HOTTEST = 0.2, 0.87
# Okabe and Ito's colours: apart for all common kinds of colour blindness, ordered for contrast on both grounds.
COLORWAY = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c")
CLASSES = (*COLORWAY, "#7b4fa3", "#a0522d", "#b5bd00")
QUIET = "rgba(128,128,128,0.35)"


def temperature_color(temperature: float, hottest: float) -> str:
    """Colour of T on the scale that every figure uses: T = 1 and below darkest, ``hottest`` lightest."""
    share = (temperature - 1) / (hottest - 1) if hottest > 1 else 0.0
    return str(sample_colorscale("Viridis", [COLDEST + (HOTTEST - COLDEST) * float(np.clip(share, 0, 1))])[0])


def line(run: Run, hottest: float, width: float = 2) -> dict[str, Any]:
    """Plotly line of a run: KD by temperature, other methods by their fixed colour and dash."""
    if run.spec.method == "kd":
        color = temperature_color(run.spec.method_parameters["temperature"], hottest)
        return {"color": color, "width": width}
    color, dash = line_of(run.spec.method)
    return {"color": color, "dash": dash, "width": width + 0.5}


def line_of(method: str) -> tuple[str, str]:
    """Colour and dash of a method that has no temperature to show; each of one's own has its own."""
    if method in OWN:
        place = OWN.index(method)
        return OWN_COLORS[place % len(OWN_COLORS)], DASHES[place % len(DASHES)]
    return LINES.get(method, (OTHER, "dashdot"))


def symbol_of(method: str) -> str:
    """Symbol of a method, another than that of every other."""
    known = [*ORDER, *OWN]
    return SYMBOLS[(known.index(method) if method in known else len(known)) % len(SYMBOLS)]


def significant(numbers: ArrayLike, digits: int = DIGITS) -> list[float | None]:
    """Rounded to ``digits`` significant digits, as plain numbers; None (a gap) for what is not finite."""
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in np.asarray(numbers, float).ravel()]


def curve(table: pd.DataFrame, column: str, name: str, look: dict[str, Any], **more: Any) -> go.Scatter:
    """One column of a history over epochs; nothing drawn where the history lacks it."""
    hover = f"{name}<br>epoch %{{x}}: %{{y}}<extra></extra>"
    x, y = table["epoch"].tolist(), significant(column_of(table, column))
    return go.Scatter(x=x, y=y, name=name, mode="lines", line=look, hovertemplate=hover, **more)


def grid(rows: int, columns: int, titles: Sequence[str] = (), height: int = 420, **more: Any) -> go.Figure:
    """An empty figure of rows x columns panels, small panel titles, legend that a phone moves below."""
    fig = make_subplots(rows=rows, cols=columns, subplot_titles=list(titles) or None, **more)
    fig.update_layout(height=height, hovermode="closest", margin={"l": 56, "r": 16, "t": 64, "b": 48})
    fig.update_layout(paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)")
    fig.update_annotations(font_size=13)
    return fig


def shares(ticks: str, hover: str = ".2%") -> dict[str, str]:
    """An axis of shares says per cent on its ticks and in hovers, whose bare ``%{y}`` is written as the axis says."""
    return {"tickformat": ticks, "hoverformat": hover}


def map_axes(fig: go.Figure, reach: float) -> None:
    """t-SNE's axes have no unit and no meaning: no ticks, the same scale along both, from -reach to reach."""
    bare = {"showticklabels": False, "ticks": "", "zeroline": False, "showgrid": False, "showline": False}
    fig.update_xaxes(range=[-reach, reach], constrain="domain", **bare)
    fig.update_yaxes(range=[-reach, reach], constrain="domain", **bare)
    for axis in fig.select_yaxes():
        axis.update(scaleanchor=axis.anchor)


def captioned(fig: go.Figure, study: Study, what: str, shown: Sequence[Run]) -> go.Figure:
    """Put the :func:`caption` over a figure, and say which runs are shown."""
    return titled(fig, caption(study, what, shown), shown, study.teacher)


def titled(fig: go.Figure, text: str, shown: Sequence[Run], teacher: Run | None = None) -> go.Figure:
    """Put ``text`` where the title would be, small, and say which runs are shown."""
    return origin.mark(fig, shown, teacher).update_layout(title={"text": text, "font": {"size": 13}})


def loss_axis(fig: go.Figure, tables: Sequence[pd.DataFrame], **where: int) -> None:
    """The training loss of ``tables`` upwards: logarithmic where it falls tenfold or more, else with ordinary ticks."""
    found = pd.concat([table["loss"] for table in tables])
    if found.max() > 10 * found.min():
        fig.update_yaxes(title_text="training loss (log)", type="log", dtick=1, **where)
    else:
        fig.update_yaxes(title_text="training loss", **where)


def mark_drops(fig: go.Figure, run: Run, since: int = 0) -> None:
    """A thin line after each epoch at which the learning rate falls."""
    for drop in run.spec.drops:
        if since < drop < run.spec.epochs:
            fig.add_vline(drop + 0.5, line={"color": QUIET, "width": 1, "dash": "dot"})


def caption(study: Study, what: str, shown: Sequence[Run]) -> str:
    """Data set, networks, number of runs and their seeds, and ``what`` is shown of them."""
    spec = next((run.spec for run in shown if run.spec.teacher), shown[0].spec)
    parts = [f"{study.name}, {networks(spec)}", f"n = {words.counted(len(shown), 'run')}, {seeds(shown)}"]
    unbroken = [part.replace(" ", "\u00a0") for part in parts]  # a phone breaks the line between the parts
    return "\u00a0· ".join([*unbroken, what])


def networks(spec: RunSpec) -> str:
    """Teacher and student by their architectures."""
    return f"{spec.teacher['model']} → {spec.model}" if spec.teacher else spec.model


def seeds(every: Iterable[Run]) -> str:
    """Which seeds the runs are of."""
    return seeds_of({run.spec.init_seed for run in every})


def seeds_of(found: Collection[int]) -> str:
    """``seed 0``, ``seeds 0 and 2``."""
    return f"seed{'s' * (len(found) > 1)} {joined(sorted(found))}"


def means_of(drawn: Mapping[Any, Sequence[Run]], shown: Iterable[Run]) -> str:
    """What lines through means are of, after a comma; their seeds, where dots are shown of more than the ``drawn``."""
    every = [run for runs in drawn.values() for run in runs]
    return "mean over seeds" if len(every) == len(list(shown)) else f"lines: {seeds(every)}"


def window(study: Study) -> str:
    """The epochs that are left after the warm-up, in words."""
    first, last = study.warm_up + 1, study.epochs
    return f"epochs {first}–{last}" if first < last else f"epoch {last}"


def joined(words: Iterable[object]) -> str:
    """``a, b and c``."""
    *head, tail = [f"{word:g}" if isinstance(word, float) else str(word) for word in words]
    return f"{', '.join(head)} and {tail}" if head else tail


def together(told: Iterable[tuple[str, str]]) -> str:
    """Answers with the studies that have them, each answer once: ``yes on a and b; no on c``."""
    names: dict[str, list[str]] = {}
    for so, name in told:
        names.setdefault(so, []).append(name)
    return "; ".join(f"{so} on {joined(those)}" for so, those in names.items())


def table(content: pd.DataFrame, name: str = "", *, escape: bool = True) -> str:
    """A table as HTML that on a narrow screen scrolls by itself, with fingers or arrow keys.

    name: what it is a table of; default: its columns. escape: False where the cells are HTML already.
    """
    body = content.to_html(index=False, border=0, justify="left", classes="kdnb-table", escape=escape)
    wide = body.replace("<table ", '<table style="min-width:34em" ', 1).replace("<th>", '<th scope="col">')
    return scrolled(wide, f"table of {name or joined(filter(None, map(str, content.columns)))}")


def scrolled(wide: str, label: str) -> str:
    """HTML that scrolls by itself where a screen is narrow, named for those who do not see it."""
    return f'<div style="overflow-x:auto" tabindex="0" role="region" aria-label="{html.escape(label)}">{wide}</div>'


def folded(head: str, body: str, look: str = "") -> str:
    """HTML that opens at a click on ``head``."""
    style = f' style="{look}"' if look else ""
    return f'<details{style}><summary style="padding:0.4em 0;cursor:pointer">{head}</summary>{body}</details>'


def reach(study: Study) -> tuple[float, float]:
    """Ends of an axis of T, a little beyond the temperatures there are."""
    low, high = min(study.kd, default=1.0), study.hottest
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def temperature_axis(fig: go.Figure, study: Study, **where: int) -> None:
    """The axis of T: a tick for each temperature while there are few."""
    low, high = reach(study)
    few = {"tickvals": list(study.kd)} if len(study.kd) <= 12 else {}
    fig.update_xaxes(title_text="temperature T", range=[low, high], **few, **where)


def across(study: Study, run: Run, value: float, name: str) -> go.Scatter:
    """A level that has no temperature, drawn across the axis of T."""
    low, high = reach(study)
    y = significant([value]) * 2
    look = line(run, study.hottest)
    hover = f"{run.label}<br>{name}: %{{y}}<extra></extra>"
    return go.Scatter(x=[low, high], y=y, name=run.label, mode="lines", line=look, hovertemplate=hover)
