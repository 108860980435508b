"""Chapter 6: what the published results are of, and each claim on two data sets side by side."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from kdnb import claims, profiles, runs
from kdnb.figures import style
from kdnb.figures.source import ResultsParameters, Study, sweep
from kdnb.figures.training import provenance_table
from kdnb.figures.verdicts import sign
from kdnb.runs import Run, RunSpec
from kdnb.verdicts import Verdict

CELL = "text-align:left;vertical-align:top;overflow-wrap:anywhere;padding:0.3em 0.6em"  # a phone has room for two


def about(study: Study) -> str:
    """What was trained on what and for how long, and what the paper trained instead."""
    spec, paper = study.students[0].spec, profiles.get("cifar100")
    labels = style.joined(run.label for run in study.students)
    made = provenance_table(study.every)
    hardware, torch = (style.joined(made[column].unique()) for column in ("hardware", "torch"))
    return (
        f"**{_networks(spec)}** on {spec.dataset}, {spec.epochs} epochs, convolutions in {spec.precision}; "
        f"{len(study.every)} students of {_seeds(study.every)}, those of the figures: {labels}. "
        f"Made on {hardware}, torch {torch}. The paper trained {paper.teacher} → {paper.student} for {paper.epochs} "
        "epochs."
    )


def learned(study: Study) -> str:
    """How well teacher and students do in the end, and how far they are from fitting their training images."""
    students = [run.history.iloc[-1] for run in study.students]
    test, clean = ([float(row[f"{kind}_accuracy"]) for row in students] for kind in ("test", "clean"))
    text = (
        f"In the last epoch the students of seed {study.students[0].spec.init_seed} are right on {min(test):.1%} to "
        f"{max(test):.1%} of the test images and on {min(clean):.1%} to {max(clean):.1%} of the training images "
        "shown without augmentation"
    )
    if study.teacher is not None:
        last = study.teacher.history.iloc[-1]
        text += f"; the teacher on {last['test_accuracy']:.1%} and {last['clean_accuracy']:.1%}"
    return f"{text}."


def made_by(study: Study) -> str:
    """Where, when and with what every run of the folder was made, as a table; the teachers' sessions first."""
    every = [*runs.find(study.folder, role="teacher"), *study.every]
    return style.table(provenance_table(every).reset_index().drop(columns="epochs"))


@dataclass(frozen=True)
class Judged:
    """Verdicts on the claims, the profile whose runs they rest on, and which runs those are, in words."""

    profile: str
    runs: str
    verdicts: Sequence[Verdict]


def judged(study: Study, chosen: ResultsParameters) -> tuple[Judged, Judged]:
    """The verdicts on the study beside, then those on ``study``; without finished runs no claim is testable."""
    return _judged(chosen.beside, sweep(chosen.compared)), _judged(chosen.profile, study.every)


def _judged(profile: str, every: Sequence[Run]) -> Judged:
    spec = every[0].spec if every else None
    what = f"{_networks(spec)}, {spec.epochs} epochs, {_seeds(every)}" if spec else "no finished runs here"
    return Judged(profile, what, claims.judge(every))


def as_html(both: Sequence[Judged]) -> str:
    """The claims as a table: a row with what the paper says and where, below it a cell a data set; text is escaped."""
    heads = "".join(f'<th scope="col" style="{CELL}">{one.profile}: {html.escape(one.runs)}</th>' for one in both)
    bodies = [_claim(both, place) for place in range(len(claims.CLAIMS))]
    look = "width:100%;table-layout:fixed;font-size:0.875em"
    return (
        f'<table class="dataframe kdnb-table" style="{look}"><thead><tr>{heads}</tr></thead>{"".join(bodies)}</table>'
    )


def _claim(both: Sequence[Judged], place: int) -> str:
    claim = claims.CLAIMS[place]
    says = html.escape(f"{claim.text} ({claim.figure})", quote=False)
    head = f'<th colspan="{len(both)}" scope="rowgroup" style="{CELL}">{claim.id}&ensp;{says}</th>'
    cells = "".join(f'<td style="{CELL}">{_reading(one.profile, one.verdicts[place])}</td>' for one in both)
    return f"<tbody><tr>{head}</tr><tr>{cells}</tr></tbody>"


def _reading(profile: str, found: Verdict) -> str:
    return f"{profile}: <strong>{sign(found)}</strong><br>{html.escape(found.sentence, quote=False)}"


def sentence(both: Sequence[Judged]) -> str:
    """On how many claims the data sets agree, and on which they do not."""
    pairs = list(zip(*(one.verdicts for one in both), strict=True))
    tested = [pair for pair in pairs if all(found.verdict != "not testable" for found in pair)]
    differ = [pair[0].id for pair in tested if len({found.verdict for found in pair}) > 1]
    same = f"{len(tested) - len(differ)} have the same verdict"
    rest = f", {style.joined(differ)} another one" if differ else ""
    return f"Of {len(pairs)} claims, {len(tested)} can be tested on both data sets: {same}{rest}."


def _networks(spec: RunSpec) -> str:
    return f"{spec.teacher['model']} → {spec.model}" if spec.teacher else spec.model


def _seeds(every: Sequence[Run]) -> str:
    seeds = sorted({run.spec.init_seed for run in every})
    return f"seed{'s' * (len(seeds) > 1)} {style.joined(seeds)}"
