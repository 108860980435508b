"""Every claim on every study at hand: verdict, numbers with intervals over seeds, parts, controls, link."""

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from kdnb import paths, profiles, runs
from kdnb.analysis import stats, words
from kdnb.analysis.selection import ChapterParameters, ClaimsParameters, is_papers, name_of
from kdnb.analysis.students import Students
from kdnb.claims import controls, paper
from kdnb.claims.controls import Check, standing
from kdnb.claims.judge import Claim, Verdict
from kdnb.claims.thresholds import LEAST_TEMPERATURES
from kdnb.figures import mu_curves, style, tsne
from kdnb.figures.claim_words import sentence
from kdnb.figures.correlation import accuracy, over_temperature
from kdnb.figures.exhibit import Exhibit, Maker, exhibit
from kdnb.runs import Run
from kdnb.surroundings import is_live

# The exhibit that carries each claim.
SHOWN: Mapping[str, Maker[...]] = {
    **dict.fromkeys(("C1", "C2", "C4"), over_temperature.r),
    **dict.fromkeys(("C3", "C9", "C10"), mu_curves.curves),
    **dict.fromkeys(("C5", "C8"), mu_curves.methods),
    "C6": tsne.measures,
    "C7": tsne.cosine,
    "C11": accuracy.by_temperature,
}
DECAYS = (5e-4, 0.0)  # the paper's two readings of its weight decay
LINE = "1px solid rgba(128,128,128,0.4)"
CELL = "text-align:left;vertical-align:top;white-space:normal;padding:0.25em 0.5em"
CARDS = "display:grid;gap:0.8em;grid-template-columns:repeat(auto-fit,minmax(min(100%,13em),1fr))"
CARD = f"min-width:0;border:{LINE};border-radius:0.4em;padding:0.6em 0.8em;font-size:0.875em"


@dataclass(frozen=True)
class Judged:
    """The verdicts on one study: runs of one folder and weight decay.

    name      its profile, and "published" where one's own runs of the same profile stand beside it
    decay     its weight decay, in words
    runs      networks, epochs and seeds, in words
    controls  the checks of each claim that has any, by its id
    trained   its students' specs: the same spec trained twice gives the same numbers, and is one piece of evidence
    """

    name: str
    decay: str
    runs: str
    trained: frozenset[str]
    verdicts: Sequence[Verdict]
    controls: Mapping[str, Sequence[Check]]

    @property
    def key(self) -> str:
        """What its glued values begin with: digits, digits_no_decay, cifar100_small."""
        short = {f"weight decay {ChapterParameters.weight_decay:g}": "", "no weight decay": "no decay"}
        return re.sub(r"\W+", "_", f"{self.name} {short.get(self.decay, self.decay)}".strip())

    def of(self, claim: Claim[Students]) -> Verdict:
        """The verdict on ``claim``."""
        return next(found for found in self.verdicts if found.id == claim.id)

    def checks(self, claim: Claim[Students]) -> Sequence[Check]:
        """The controls of ``claim``; none where it has none, or cannot be tested."""
        return self.controls.get(claim.id, ()) if self.of(claim).seeds else ()


# ------------------------------------------------------------------------------------------------------------ reading
def judged(chosen: ClaimsParameters) -> list[Judged]:
    """This study's verdicts, then those of every published study; FileNotFoundError when there are no runs at all."""
    found = [
        one
        for name, folder in _folders(chosen).items()
        for one in _by_decay(name, folder, chosen.squared, _own(chosen))
    ]
    if not found:
        raise FileNotFoundError(
            f"neither {_own(chosen)} nor {_kept(chosen)} holds finished students. Train them with "
            "notebooks/02_students.ipynb, or clone the repository, whose results/ holds published ones."
        )
    return found


def _own(chosen: ClaimsParameters) -> Path:
    profiles.get(chosen.profile)
    return Path(chosen.output_dir) if chosen.output_dir else paths.runs(chosen.profile)


def _kept(chosen: ClaimsParameters) -> Path:
    return Path(chosen.results_dir) if chosen.results_dir else paths.root() / "results"


def _folders(chosen: ClaimsParameters) -> dict[str, Path]:
    """Folders with finished students by the name of their study, this study first."""
    own = _own(chosen)
    if runs.find(own, role="student"):
        found = {name_of(chosen.profile, runs.find(own, role="student")): own}
    elif chosen.output_dir is None:
        found = {}
    else:
        raise FileNotFoundError(f"{own} holds no finished students; train them there, or name another output_dir.")
    # A hidden folder is one that is being published.
    for folder in sorted(_kept(chosen).glob("[!.]*/")):
        if folder.resolve() != own.resolve() and runs.find(folder, role="student"):
            found[f"{folder.name}, published" if folder.name in found else folder.name] = folder
    return found


def _by_decay(name: str, folder: Path, squared: bool, own: Path) -> Iterator[Judged]:
    """A verdict for each weight decay; of published studies for those with the paper's sweep at one of its decays."""
    students = [run for run in runs.find(folder, role="student") if is_papers(run, squared)]
    for decay in sorted({run.spec.weight_decay for run in students}, reverse=True):
        mine = [run for run in students if run.spec.weight_decay == decay]
        if folder != own and not (has_sweep(mine) and decay in DECAYS):
            continue
        said = f"weight decay {decay:g}" if decay else "no weight decay"
        trained = frozenset(json.dumps(run.spec.as_json(), sort_keys=True) for run in mine)
        spec = mine[0].spec
        made_of = f"{style.networks(spec)}, {spec.epochs} epochs, {style.seeds(mine)}"
        yield Judged(name, said, made_of, trained, paper.judge(mine), controls.judge(mine))


def has_sweep(students: Sequence[Run]) -> bool:
    """Whether there is normal training, and KD at enough temperatures to see a course of r."""
    temperatures = {run.spec.method_parameters["temperature"] for run in students if run.spec.method == "kd"}
    return len(temperatures) >= LEAST_TEMPERATURES and any(run.spec.method == "normal" for run in students)


def independent(found: Sequence[Judged]) -> list[Judged]:
    """Those that share no run with a larger one: digits trained here and published are one study, not two."""
    kept: list[Judged] = []
    for one in sorted(found, key=lambda one: -len(one.trained)):
        if not any(one.trained & other.trained for other in kept):
            kept.append(one)
    return [one for one in found if one in kept]


# ------------------------------------------------------------------------------------------------------------ summary
def counts(found: Sequence[Judged]) -> str:
    """What each study is of, and how many claims fared how on it: a list in Markdown."""
    return "\n".join(f"- **{one.name}**, {one.decay} ({one.runs}). {sentence(one.verdicts)}" for one in found)


def agreement(found: Sequence[Judged]) -> str:
    """On how many claims the studies agree, and on which they do not; runs that are there twice count once."""
    found = independent(found)
    by_claim = list(zip(*(one.verdicts for one in found), strict=True))
    tested = [row for row in by_claim if all(one.verdict != "not testable" for one in row)]
    differ = [row[0].id for row in tested if len({one.verdict for one in row}) > 1]
    if len(found) < 2:
        return f"{len(tested)} of {len(by_claim)} claims can be tested on these runs."
    rest = f"; {style.joined(differ)} have not" if len(differ) > 1 else f"; {differ[0]} has not" if differ else ""
    return (
        f"{len(tested)} of {len(by_claim)} claims can be tested on all {len(found)} studies: "
        f"{len(tested) - len(differ)} of them have the same verdict everywhere{rest}."
    )


def stood(found: Sequence[Judged]) -> str:
    """How the claims that have controls stand against them, a line a study: a list in Markdown."""
    lines = []
    for one in found:
        checked = {claim.id: one.checks(claim) for claim in paper.CLAIMS if one.checks(claim)}
        answers = [check.answer for checks in checked.values() for check in checks]
        said = len(answers) - answers.count("cannot be said")
        stand = [name for name, checks in checked.items() if controls.stands(checks)]
        named = f" ({style.joined(stand)})" if stand else ""
        text = (
            f"{answers.count('yes')} of {said} checks are answered yes; {len(stand)} of {len(checked)} claims that "
            f"have controls stand against all of them{named}."
        )
        if not said:
            text = f"of the controls nothing can be said; it takes {stats.LEAST_RUNS} seeds."
        lines.append(f"- **{one.name}**, {one.decay}: {text}")
    return "\n".join(lines)


@exhibit("verdicts", "A row a claim, a cell a study: the verdict, and below it how it stands against its controls.")
def overview(found: Sequence[Judged]) -> Exhibit:
    """All verdicts, counted and in one table."""
    return Exhibit(None, "\n\n".join([counts(found), agreement(found), stood(found)]), table=summary(found))


def summary(found: Sequence[Judged]) -> str:
    """The claims, each linked to its section; below it a cell a study with the verdict, and one with its controls."""
    heads = "".join(
        f'<th scope="col" style="{CELL}">{html.escape(one.name)}<br><small>{one.decay}</small></th>' for one in found
    )
    bodies = "".join(_row(claim, found) for claim in paper.CLAIMS)
    look = f"width:100%;table-layout:fixed;min-width:{8 * len(found)}em;font-size:0.875em;border-collapse:collapse"
    return framed(
        '<div style="overflow-x:auto" tabindex="0" role="region" aria-label="Verdicts on every claim">'
        f'<table style="{look}"><thead><tr>{heads}</tr></thead>{bodies}</table></div>'
    )


def _row(claim: Claim[Students], found: Sequence[Judged]) -> str:
    link = f'<a href="#{claim.id.lower()}">{claim.id}</a>&ensp;{html.escape(claim.title)}'
    head = f'<th scope="rowgroup" colspan="{len(found)}" style="{CELL};border-top:{LINE}">{link}</th>'
    rows = ["".join(f'<td style="{CELL}">{one.of(claim).sign}</td>' for one in found)]
    if claim.id in controls.CONTROLS:
        checks = [one.checks(claim) for one in found]
        rows += ["".join(f'<td style="{CELL}"><small>{standing(c) if c else ""}</small></td>' for c in checks)]
    return f"<tbody><tr>{head}</tr>{''.join(f'<tr>{cells}</tr>' for cells in rows)}</tbody>"


def framed(content: str) -> str:
    """In the frame that the page leaves in its own colours, light or dark."""
    return f'<div class="kdnb-frame">{content}</div>'


# ---------------------------------------------------------------------------------------------------------- one claim
@exhibit("claim-{of}", "What the paper says, and a card a study with its verdict, numbers and controls.")
def claim(claim_id: str, found: Sequence[Judged]) -> Exhibit:
    """One claim of the paper on every study."""
    return Exhibit(None, table=section(claim_id, found), of=claim_id.lower())


def section(claim_id: str, found: Sequence[Judged]) -> str:
    """What the paper says of one claim and where, the figure that carries it, and a card a study; text is escaped."""
    claim = next(one for one in paper.CLAIMS if one.id == claim_id)
    cards = "".join(_card(claim, one) for one in found)
    shown = SHOWN[claim_id]
    link = f'<a href="{address(shown)}">the figure in chapter {int(shown.chapter[:2])}</a>'
    return framed(
        f"<p><strong>The paper:</strong> {html.escape(claim.text)} <em>({html.escape(claim.figure)})</em><br>"
        f"See for yourself: {link}.</p>"
        f'<div style="{CARDS}">{cards}</div>'
    )


def address(shown: Maker[...], of: str = "") -> str:
    """Of an exhibit on the book's page; for a notebook at work, of its chapter's notebook. ``of``: which study's."""
    if not is_live():
        return f"{shown.chapter}.html#{shown.id(of)}"
    repository = yaml.safe_load((paths.root() / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return f"{repository['url']}/blob/{repository['branch']}/notebooks/{shown.chapter}.ipynb"


def _card(claim: Claim[Students], one: Judged) -> str:
    verdict = one.of(claim)
    count = len(verdict.seeds)
    many = f" · {words.counted(count, 'seed')}" if count else ""
    body = _numbers(claim, verdict) + _parts(verdict) if count else f"<p>{html.escape(verdict.sentence)}</p>"
    body += _controls(one.checks(claim))
    return (
        f'<div role="group" aria-label="{claim.id}, {html.escape(one.name)}, {one.decay}" style="{CARD}">'
        f"{html.escape(one.name)}, {one.decay}<br><strong>{verdict.sign}</strong>{many}{body}</div>"
    )


def _numbers(claim: Claim[Students], verdict: Verdict) -> str:
    """Of each number the mean over seeds; below it the interval, and every seed's value."""
    rows = []
    for key, shown in claim.measures.items():
        values = verdict.values[key]
        text = f"<strong>{shown.over_seeds(values)}</strong>"
        if len(values) > 1 and shown.kind != "choice":
            text += f"<br><small>95 %: {shown.between(values)}<br>seeds: {', '.join(map(shown.write, values))}</small>"
        name = html.escape(shown.text)
        rows.append(f'<dt style="font-weight:normal">{name}</dt><dd style="margin:0 0 0.4em">{text}</dd>')
    return f'<dl style="margin:0.5em 0">{"".join(rows)}</dl>'


def _parts(verdict: Verdict) -> str:
    """In how many seeds each part held."""
    count = len(verdict.seeds)
    rows = "".join(
        f"<li>{'✓' if held == count else '✗' if not held else '~'} {html.escape(part)}: {held} of {count}</li>"
        for part, held in verdict.parts.items()
    )
    return f'<ul style="list-style:none;padding:0;margin:0">{rows}</ul>'


def _controls(checks: Sequence[Check]) -> str:
    """Every check with its answer, its number and interval, folded under how many are answered yes."""
    if not checks:
        return ""
    head = f'<summary style="padding:0.4em 0;cursor:pointer">Controls: <strong>{standing(checks)}</strong></summary>'
    claimed = f"<small>Claimed: each {'above' if checks[0].sign > 0 else 'below'} 0.</small>"
    rows = ""
    for check in checks:
        shown = check.measure
        mean = f"<strong>{shown.over_seeds(check.values)}</strong>, " if check.values else ""
        name = f"{check.mark} {html.escape(shown.text)}"
        text = f"{mean}<small>95 %: {shown.between(check.values)}</small>"
        rows += f'<dt style="font-weight:normal">{name}</dt><dd style="margin:0 0 0.4em 1em">{text}</dd>'
    return (
        f'<details style="margin:0.4em 0 0;border-top:{LINE}">{head}{claimed}<dl style="margin:0">{rows}</dl></details>'
    )
