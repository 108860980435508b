"""Front page: what was asked, answered by one sentence and two figures, then in a minute."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import by_method, crossed, design, stats, words
from kdnb.analysis.students import PEAK
from kdnb.analysis.study import Study
from kdnb.figures import claim_words, intervals, style
from kdnb.figures.correlation import decays, norms
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.interventions import design as drawn_design
from kdnb.figures.interventions import gains, handed_on
from kdnb.figures.mu_curves.over_epochs import percent
from kdnb.figures.statistics import crossed as drawn_crossed
from kdnb.runs import Run

SYMBOLS = {"circle": "●", "circle-open": "○", "diamond-open": "◇"}
LINE = 0.16  # of r: how far names of curves stand apart at least
NAMES = {
    "W_t": "the teacher's, W<sub>t</sub>",
    "W_o": "the bystander's, W<sub>o</sub>",
    "random": "random rows",
    "permuted": "W<sub>t</sub>, columns permuted",
    "rotated": "W<sub>t</sub>, rotated",
    "shuffled": "W<sub>t</sub>, classes shuffled",
}


@exhibit(
    "start-r-{of}",
    "r with the loss of mu, of mu to the bystander and of the classifier's norm against T; change of the norm.",
)
def r(study: Study) -> Exhibit:
    """The paper's correlation beside that of the bystander and of the norm."""
    fig = name_ends(norms.draw(study).update_layout(height=560)) if study.kd else None
    told = [norms.of_the_length(study), *([turn] if (turn := decays.brief(study)) else [])]
    return Exhibit(fig, answer=words.sentence("; ".join(told)), of=study.name)


def name_ends(fig: go.Figure) -> go.Figure:
    """Name the curves of r where they end, apart where they end together, in place of the legend."""
    curves = [trace for trace in fig.data if trace.name.startswith("r of ") and trace.mode == "lines+markers"]
    ends = {place: float(trace.y[-1]) for place, trace in enumerate(curves) if trace.y[-1] is not None}
    height = -np.inf
    for trace in (curves[place] for place in sorted(ends, key=ends.__getitem__)):
        height = max(float(trace.y[-1]), height + LINE)
        mark = SYMBOLS[trace.marker.symbol]
        name = trace.name.removeprefix("r of ").replace(" to the ", ", ")
        text = f'<span style="color:{trace.line.color}">{mark}</span> {name}'
        said = {"text": text, "font": {"size": 12}}
        place = {"x": 1, "xref": "x domain", "xanchor": "left", "xshift": 8, "row": 1, "col": 1}
        fig.add_annotation(y=height, showarrow=False, **said, **place)
    for trace in curves:
        trace.showlegend = False
    fig.layout.sliders = ()  # a moved warm-up would leave the names behind
    return fig.update_layout(margin_r=110)


def answer(papers: Sequence[Study], designs: Sequence[Study]) -> str:
    """The title's question and those of reuse, a line each, over all studies, in Markdown."""
    tried = {study.name: study for study in designs}
    needs = [said for row in drawn_design.REUSES if (said := _needed(designs, row))]
    told = {
        "Does a student drift towards its teacher's classifier?": ". ".join([_farther(papers), *_nearer(designs)]),
        gains.QUESTION: gains.answer(tried),
        "What does a classifier alone hand on?": handed_on.brief(tried),
        "Does reuse need the teacher's own classifier?": words.capital("; ".join(needs)),
    }
    return "\n".join(f"- **{question}** {text}." for question, text in told.items() if text)


def _needed(designs: Sequence[Study], row: str) -> str:
    """Study by study whether a row of the design needs W_t; empty where none has it."""
    gaps = {study.name: apart for study in designs if (apart := design.gap(study, row)).values}
    names: dict[str, list[str]] = {}
    for name, apart in gaps.items():
        names.setdefault(drawn_design.called(row, apart), []).append(name)
    said = [f"{so} on {style.joined(alike)}" for so, alike in names.items()]
    head = f"{drawn_design.REUSES[row]}{drawn_design.head(designs, row)}"
    return f"{head} {', '.join(said)}" if said else ""


def _farther(papers: Sequence[Study]) -> str:
    found = {study.name: drift for study in papers if (drift := _drift(study))}
    yes = [name for name, drift in found.items() if drift.farther]
    some = "Yes:" if len(yes) == len(found) else "Not everywhere:" if yes else "Not seen: that"
    word = some if found else "Cannot be told: whether"
    few = [name for name, drift in found.items() if drift.seeds < stats.LEAST_RUNS]
    unsure = f", with too few seeds to be sure on {style.joined(few)}" if few else ""
    where = f" ({'seen on ' + style.joined(yes) if yes else 'on ' + style.joined(found)}{unsure})" if found else ""
    return f"{word} a student's raw μ falls farther to its own teacher than to one that it never saw{where}"


def _nearer(designs: Sequence[Study]) -> list[str]:
    """In how many studies with crossed teachers relabelled mu is nearer to the own teacher's; nothing without any."""
    tables = {study.name: table for study in designs if not (table := crossed.contrasts_of(study)).empty}
    found = {name: drawn_crossed.read(table) for name, table in tables.items()}
    clear = {name: one for name, one in found.items() if "mu_matched" in one and one["mu_matched"].side > 0}
    by = []
    for name, one in clear.items():
        nearer = sum(measure.side > 0 for measure in one.values())
        of = f"nearer in {nearer} of {words.counted(len(one), 'measure')}"
        by.append(f"by {words.number(one['mu_matched'].mean, '{:.2g}')} on {name} ({of})")
    text = (
        "With features relabelled (matched μ) its classifier ends nearer to its own teacher's in "
        f"{len(clear)} of {words.counted(len(found), 'study', 'studies')} with crossed teachers"
    )
    return [f"{text}: {style.joined(by)}" if by else text] if tables else []


class _Drift(NamedTuple):
    """Mean change of mu to the teacher and to the bystander, over so many seeds of a student."""

    run: Run
    mine: float
    other: float
    seeds: int
    farther: bool


def _drift(study: Study) -> _Drift | None:
    run = study.nearest(PEAK)
    group = study.groups[run.label] if run else []
    moves = [(study.change("mu_raw", one), study.change("bystander_mu_raw", one)) for one in group]
    known = np.array([pair for pair in moves if np.isfinite(pair).all()])
    if not len(known) or run is None:
        return None
    mine, other = map(float, known.mean(axis=0))
    _, high = stats.mean_interval(known[:, 0] - known[:, 1])
    farther = mine < 0 and (high < 0 if len(known) >= stats.LEAST_RUNS else mine < other)
    return _Drift(run, mine, other, len(known), farther)


def drift(study: Study) -> str:
    """Whether mu falls, and farther than mu to the bystander, over the seeds of KD."""
    found = _drift(study)
    if found is None:
        pair = "μ to its teacher and to a bystander at two epochs after the warm-up"
        return f"**It cannot be told here: no student that learned by KD has a {pair}.**"
    few = "" if found.seeds >= stats.LEAST_RUNS else ", too few to be sure"
    verb = "falls" if found.mine < 0 else "does not fall"
    return (
        f"**{'Yes' if found.farther else 'No'}: after the warm-up a student's raw μ {verb} ({percent(found.mine)}), "
        f"and that to a bystander's classifier, which it never saw, changes by {percent(found.other)} "
        f"({found.run.label}, {words.counted(found.seeds, 'seed')}{few}).**"
    )


@exhibit("start-reuse-{of}", "Accuracy less KD's of the same seed, by whose classifier the student was given, 95%.")
def reuse(study: Study) -> Exhibit:
    """The design: a row a classifier, a dot a seed's difference to its own classifier, their mean, its interval."""
    found = design.beside_own(study)
    if not found:
        return Exhibit(answer=needed(study), of=study.name)
    labels = {NAMES[whose]: estimate for whose, estimate in found.items()}
    fig = intervals.rows(labels, "students", "circle").update_layout(margin_l=190)
    fig.update_xaxes(title_text="accuracy less that with its own classifier (points)")
    return Exhibit(
        style.captioned(fig, study, "KD, T = 4", design.runs_by_classifier(study)), answer=needed(study), of=study.name
    )


def needed(study: Study) -> str:
    """Whether reuse needs the teacher's own classifier: the bystander's frozen beside the teacher's frozen."""
    parts = [
        f"{where}{drawn_design.head([study], row)} {drawn_design.called(row, apart)}, {apart.told(drawn_design.POINTS)}"
        for row, where in drawn_design.REUSES.items()
        if (apart := design.gap(study, row)).values
    ]
    if not parts:
        return "**Whether reuse needs the teacher's classifier cannot be told here: the bystander's was not tried.**"
    return words.sentence("; ".join(parts))


def minute(papers: Sequence[Study]) -> str:
    """What the two figures do not say, in a few sentences of the study with the most seeds, in Markdown."""
    study = max(papers, key=lambda one: len(one.every))
    said = [drift(study), plugged(study), claim_words.sentence(claim_words.judged(study))]
    told = "\n".join(f"- {text.replace('**', '')}" for text in said)
    return f"On {study.name}, where the most students were trained:\n\n{told}"


def plugged(study: Study) -> str:
    """How the teacher's classifier does on the features of a student, as they are and matched; normal training too."""
    run, normal = study.leading, study.get("normal")
    raw, matched = _plugged(study, run)
    control = ""
    if normal and normal.label != run.label:
        control = f" (normal training, which never met the teacher: {' and '.join(_plugged(study, normal))})"
    return (
        f"Put on the features of {run.label}, W<sub>t</sub> is right on {raw} of the test images, and on {matched} "
        f"once the features are matched{control}."
    )


def _plugged(study: Study, run: Run) -> list[str]:
    """Plug-in accuracy over the seeds of ``run``, as it is and matched, in per cent."""
    columns = [f"plug_in_accuracy{kind}" for kind in ("", "_matched")]
    return [words.number(by_method.mean(column, study.groups[run.label]), "{:.0%}") for column in columns]
