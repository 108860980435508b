"""The paper's correlation of mu and the loss (Fig. 6), and the readings that keep it honest."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy import stats as scipy_stats

from kdnb.analysis import correlations, stats
from kdnb.analysis.selection import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run
from kdnb.runs.store import column_of


def by_temperature(study: Study, cut: int) -> go.Figure:
    """Fig. 6: r of raw mu and loss against T after ``cut`` epochs; normal, DIST and MSE as lines across.

    Hollow markers: the same r with mu to the bystander.
    """
    fig = style.grid(1, 1, height=430)
    temperatures = list(study.kd)
    for column, name in correlations.SIDES.items():
        r = style.significant([correlations.r_after(run, cut, column) for run in study.kd.values()])
        colors = [style.temperature_color(t, study.hottest) for t in temperatures]
        hollow = column != "mu_raw"
        marker = {"size": 11, "color": colors, "symbol": "circle-open" if hollow else "circle", "line": {"width": 2}}
        look = {"color": style.QUIET, "width": 2, "dash": "dot" if hollow else "solid"}
        hover = f"T = %{{x}}<br>r with {name}: %{{y:.3f}}<extra></extra>"
        trace = go.Scatter(x=temperatures, y=r, name=f"KD, {name}", mode="lines+markers", marker=marker, line=look)
        fig.add_trace(trace.update(hovertemplate=hover))
    for run in study.others:
        fig.add_trace(style.across(study, run, correlations.r_after(run, cut), "r"))
    fig.add_hline(0, line={"color": style.QUIET, "width": 1})
    fig.update_yaxes(title_text="Pearson r of μ raw and loss", range=[-1.08, 1.08])
    style.temperature_axis(fig, study)
    text = f"epochs {cut + 1}–{study.epochs}, {study.epochs - cut} a run"
    return style.captioned(fig, study, text)


@exhibit(
    "r-by-temperature",
    "Pearson r of mu and the loss against T, for the teacher and the bystander; other methods as lines.",
    step="warm-up",
)
def r(study: Study) -> Exhibit:
    """Fig. 6 for every warm-up of `correlations.cuts` and the chapter's own, with labels for a stepper."""
    ordered = sorted({study.warm_up, *correlations.cuts(study)})
    return Exhibit(
        {f"{cut} epochs": by_temperature(study, cut) for cut in ordered},
        sentence(study),
        start=f"{study.warm_up} epochs",
    )


@exhibit(
    "r-honest",
    "For each run, r within phases of the learning rate, and r of epoch-to-epoch changes with intervals.",
)
def honest(study: Study, table: pd.DataFrame) -> Exhibit:
    """`correlations.readings` as ``table``: r within phases of the learning rate above, r of first differences below.

    Bars below: 95 % block-bootstrap intervals.
    """
    titles = ["r within phases of the learning rate", "r of epoch-to-epoch changes (95 %)"]
    fig = style.grid(2, 1, titles, 620, shared_xaxes=True, vertical_spacing=0.1)
    labels = table.index.tolist()
    for trace in _phases(table):
        fig.add_trace(trace, 1, 1)
    if "r" in table:
        level = {"symbol": "line-ew-open", "size": 22, "color": style.OTHER, "line": {"width": 3}}
        paper = go.Scatter(
            x=labels, y=style.significant(table["r"]), name="the paper's r", mode="markers", marker=level
        )
        fig.add_trace(paper.update(hovertemplate="%{x}<br>the paper's r: %{y:.3f}<extra></extra>"), 1, 1)
        fig.add_trace(_differences(study, table), 2, 1)
        absent = {
            f"no phase has {stats.LEAST_POINTS} epochs": not _phases(table),
            "too few epochs for r of changes": bool(table["r_differences"].isna().all()),
        }
        for row, (text, missing) in enumerate(absent.items(), start=1):
            if missing:
                where = {"x": len(labels) / 2 - 0.5, "y": 0, "row": row, "col": 1}
                fig.add_annotation(text=text, showarrow=False, yshift=14, **where)
    else:
        fig.add_annotation(text=f"fewer than {stats.LEAST_POINTS} epochs: no r", showarrow=False, xref="paper", x=0.5)
    fig.add_hline(0, line={"color": style.QUIET, "width": 1})
    fig.update_yaxes(title_text="Pearson r", range=[-1.08, 1.08])
    fig.update_xaxes(type="category", categoryarray=labels, tickangle=-60)
    return Exhibit(style.captioned(fig, study, style.window(study)), honest_sentence(table), table=as_html(table))


def _phases(table: pd.DataFrame) -> list[go.Scatter]:
    known = (span for phases in table["phases"] for span, r in phases.items() if np.isfinite(r))
    spans = list(dict.fromkeys(known))
    symbols = ("circle", "square", "diamond", "triangle-up", "cross")
    return [
        go.Scatter(
            x=table.index.tolist(),
            y=style.significant([phases.get(span, np.nan) for phases in table["phases"]]),
            name=f"epochs {span.replace('-', '–')}",
            mode="markers",
            marker={"symbol": symbols[i % 5], "size": 8, "color": style.CLASSES[(0, 2, 4, 3, 5)[i % 5]]},
            hovertemplate=f"%{{x}}<br>epochs {span}: r = %{{y:.3f}}<extra></extra>",
        )
        for i, span in enumerate(spans)
    ]


def _differences(study: Study, table: pd.DataFrame) -> go.Scatter:
    r = table["r_differences"]
    bars = {
        "type": "data",
        "array": style.significant(table["high"] - r),
        "arrayminus": style.significant(r - table["low"]),
        "color": style.OTHER,
    }
    colors = [style.line(run, study.hottest)["color"] for run in study.students]
    marker = {"size": 10, "color": colors}
    hover = "%{x}<br>r of changes: %{y:.3f} (+%{error_y.array:.2f}, −%{error_y.arrayminus:.2f})<extra></extra>"
    return go.Scatter(
        x=table.index.tolist(),
        y=style.significant(r),
        error_y=bars,
        mode="markers",
        marker=marker,
        showlegend=False,
        name="changes",
        hovertemplate=hover,
    )


def as_html(table: pd.DataFrame) -> str:
    """`correlations.readings` as a table to read; a dash where there are too few epochs."""
    columns: dict[str, Callable[[pd.Series], str]] = {
        "epochs": lambda row: f"{row['n']:.0f}",
        "r (the paper's)": lambda row: f"{row['r']:.3f}" if np.isfinite(row["r"]) else "undefined",
        "r of changes, 95 %": lambda row: (
            f"{row['r_differences']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
            if row["low"] <= row["high"]
            else "too few epochs"
        ),
        "p, were epochs independent": lambda row: (
            f"{row['naive_p']:.0e}" if np.isfinite(row["naive_p"]) else "undefined"
        ),
        "epochs are worth": lambda row: (
            f"{row['n_eff']:.0f}" if row["n_eff"] > 0 else f"fewer than {stats.LEAST_EFFECTIVE_SIZE:g}"
        ),
    }
    rows = [
        {
            "run": str(label).replace(" ", "\u00a0"),
            **{name: "–" if row["refused"] else show(row) for name, show in columns.items()},
        }
        for label, row in table.iterrows()
    ]
    return style.table(pd.DataFrame(rows))


@exhibit(
    "mu-against-loss",
    "Raw mu against the training loss of one student, a point an epoch, coloured by the epoch.",
    step="student",
)
def scatter(study: Study) -> Exhibit:
    """One figure a run: raw mu against the loss, a point an epoch after the warm-up, coloured by the epoch."""
    runs: Sequence[Run] = study.students
    return Exhibit({run.label: _scatter(study, run) for run in runs})


def _scatter(study: Study, run: Run) -> go.Figure:
    table = run.after(study.warm_up)
    fig = style.grid(1, 1, height=460)
    bar = {"title": {"text": "epoch"}, "thickness": 12, "outlinewidth": 0}
    marker = {"color": table["epoch"].tolist(), "colorscale": "Viridis", "size": 7, "colorbar": bar}
    hover = "epoch %{marker.color}<br>loss %{x:.4g}, μ %{y:.4g}<extra></extra>"
    x, y = style.significant(table["loss"]), style.significant(column_of(table, "mu_raw"))
    fig.add_trace(go.Scatter(x=x, y=y, mode="markers", marker=marker, name=run.label, hovertemplate=hover))
    fig.update_xaxes(title_text="training loss")
    fig.update_yaxes(title_text="μ raw")
    r = correlations.r_after(run, study.warm_up)
    text = f"{run.label}, {style.window(study)}, r = {r:.3f}" if np.isfinite(r) else f"{run.label}, r undefined"
    return style.captioned(fig, study, text, [run])


def sentence(study: Study) -> str:
    """The paper's finding as these runs show it, and the bystander's r beside it."""
    shown = [run for run in (study.nearest(4), study.get("normal")) if run] or study.students[:1]
    parts = []
    for run in shown:
        own, other = (correlations.r_after(run, study.warm_up, column) for column in correlations.SIDES)
        beside = f", and {other:.3f} with μ to the bystander" if np.isfinite(other) else ""
        none = f"no r (fewer than {stats.LEAST_POINTS} epochs, or a constant curve)"
        parts.append(f"**{run.label}** has {f'r = {own:.3f}{beside}' if np.isfinite(own) else none}")
    r = {t: correlations.r_after(run, study.warm_up) for t, run in study.kd.items()}
    known = {t: value for t, value in r.items() if np.isfinite(value)}
    text = f"In {style.window(study)} (n = {study.epochs - study.warm_up}): {'; '.join(parts)}."
    if len(known) > 1:
        top, low = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
        text += f" Over T, r is greatest at T = {top:g} ({known[top]:.2f}) and least at T = {low:g} ({known[low]:.2f})."
    return text


def honest_sentence(table: pd.DataFrame) -> str:
    """How many of the runs keep a correlation once trends are taken out."""
    if "r" not in table:
        return f"No run has a correlation: {table['refused'].iloc[0]}"
    known = table.dropna(subset=["r"])
    clear = known[(known["low"] > 0) | (known["high"] < 0)]
    strong = known[known["r"].abs() > 0.9]
    named = f" ({style.joined(clear.index)})" if 0 < len(clear) < len(known) else ""
    sized = int(known["n_eff"].notna().sum())
    most = f", never more than {known['n_eff'].max():.0f}" if sized else ""
    rest = "; in the others no p-value holds" if sized < len(known) else ""
    changes = (
        "The changes from epoch to epoch are too few for an r of their own"
        if known["low"].isna().all()
        else f"For the changes from epoch to epoch, the 95 % interval leaves out zero in {len(clear)}{named}"
    )
    return (
        f"Of {len(known)} runs, {len(strong)} have |r| above 0.9 in the paper's way. {changes}. The epochs are worth "
        f"at least {stats.LEAST_EFFECTIVE_SIZE:g} independent ones in {sized} of {len(known)} runs{most}{rest}."
    )


def chance_sentence(study: Study) -> str:
    """How large r gets by chance alone in a window of that many epochs, were they independent."""
    n = study.epochs - study.warm_up
    if n < stats.LEAST_POINTS:
        return f"The window has {n} epochs: no r."
    t = float(scipy_stats.t.ppf(0.975, n - 2))
    return (
        f"Each r rests on n = {n} epochs of one run. Even of independent epochs, one in twenty such r would be beyond "
        f"±{t / np.sqrt(n - 2 + t * t):.2f} by chance alone."
    )
