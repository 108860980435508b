"""Every claim on every study at hand: how the studies differ, a table on one screen, r by temperature, all details."""

import html
from collections.abc import Mapping, Sequence

import pandas as pd
import yaml

from kdnb import paths
from kdnb.analysis import stats, words
from kdnb.analysis.students import Students
from kdnb.claims import controls, paper
from kdnb.claims.controls import Check, standing
from kdnb.claims.judge import MARKS, Claim, Measure, Verdict
from kdnb.claims.studies import Judged
from kdnb.figures import claim_words, experiment, style, tsne
from kdnb.figures.correlation import accuracy, norms
from kdnb.figures.exhibit import Exhibit, Maker, exhibit
from kdnb.figures.geometry import class_distances
from kdnb.figures.methods import ablations
from kdnb.figures.mu_curves import alike, over_epochs
from kdnb.surroundings import is_live

# The exhibit that carries each claim.
SHOWN: Mapping[str, Maker[...]] = {
    **dict.fromkeys(("C1", "C2", "C4"), norms.by_temperature),
    "C3": over_epochs.selected,
    "C5": ablations.high_temperature,
    "C6": class_distances.separations,
    "C7": tsne.cosine,
    "C8": alike.dist,
    "C9": ablations.alpha_curves,
    "C10": alike.cosine,
    "C11": accuracy.by_temperature,
}
LINE = "1px solid rgba(128,128,128,0.4)"
CELL = "text-align:left;vertical-align:top;white-space:normal;padding:0.15em 0.5em"
CARDS = "display:grid;gap:0.8em;grid-template-columns:repeat(auto-fit,minmax(min(100%,13em),1fr))"
CARD = f"min-width:0;border:{LINE};border-radius:0.4em;padding:0.6em 0.8em;font-size:0.875em"


# ------------------------------------------------------------------------------------------------------- the studies
@exhibit("experiments", "A row a study: its images, networks, classes and features, epochs, weight decay and seeds.")
def experiments(found: Sequence[Judged], absent: str = "") -> Exhibit:
    """How each study's experiment differs from the paper's, from its specs; ``absent``: a profile without any."""
    rows = pd.DataFrame([experiment.PAPERS_ROW, *map(experiment.row, found)])
    same = [one.title for one in found if experiment.is_papers(one)]
    text = words.sentence(style.joined(same) if same else "none")
    copies = [f"{style.joined(one.copies)} (runs of {one.title}, too)" for one in found if one.copies]
    told = [f"Counted once: {'; '.join(copies)}."] if copies else []
    told += [f"{absent} is not here: none of its students that are asked for is finished."] if absent else []
    return Exhibit(None, " ".join(told), text, style.table(rows, "how the studies differ from the paper's"))


# ------------------------------------------------------------------------------------------------------- the verdicts
@exhibit(
    "verdicts", "A row a claim, a cell a study: verdict, main number, seeds, and how it stands against its controls."
)
def overview(found: Sequence[Judged]) -> Exhibit:
    """All verdicts in one table, and what such a word is worth."""
    return Exhibit(None, "", answer(found), summary(found) + framed(claim_words.worth()))


def answer(found: Sequence[Judged]) -> str:
    """Which claims are found on each study, its seeds, and how many of those stand against their controls."""
    parts = []
    for one in found:
        mine = paper.counted(one.verdicts)
        there = [verdict for verdict in mine if verdict.verdict == "found here too"]
        checked = [checks for verdict in there if (checks := one.checks(verdict.claim))]
        known = [checks for checks in checked if controls.can_be_said(checks)]
        tested = sum(verdict.verdict != "not testable" for verdict in mine)
        standing_ = sum(map(controls.stands, known))
        said = f"{standing_} of {len(known)} with controls stand{'s' * (standing_ == 1)} against them"
        seeds = [len(verdict.seeds) for verdict in mine if verdict.seeds]
        about = [words.span(seeds, "seed")] if seeds else []
        about += [said if known else "their controls cannot be said"] if checked else []
        which = style.joined(verdict.claim.id for verdict in there) if there else "none"
        parts.append(f"{which} of {tested} on {one.title}" + (f" ({'; '.join(about)})" if about else ""))
    return words.sentence(f"{'; '.join(parts)} (of the claims that can be tested there)")


def summary(found: Sequence[Judged]) -> str:
    """The claims, each linked to its details; below it a cell a study; last what the paper quotes of others."""
    own, others = (
        "".join(_row(claim, found) for claim in paper.CLAIMS if claim.borrowed == borrowed)
        for borrowed in (False, True)
    )
    note = "From other works, which the paper quotes; no claim of its own experiments:"
    apart = f'<td colspan="{len(found)}" style="{CELL};border-top:{LINE}"><small>{note}</small></td>'
    rows = f"{own}<tbody><tr>{apart}</tr></tbody>{others}"
    return table([one.title for one in found], rows, "Verdicts on every claim")


def table(names: Sequence[str], rows: str, label: str) -> str:
    """``rows`` of :func:`row` under the names of studies, a column each; ``label``: for those who listen."""
    heads = "".join(f'<th scope="col" style="{CELL}">{html.escape(name)}</th>' for name in names)
    look = f"width:100%;table-layout:fixed;min-width:{9 * len(names)}em;font-size:0.875em;border-collapse:collapse"
    return framed(style.scrolled(f'<table style="{look}"><thead><tr>{heads}</tr></thead>{rows}</table>', label))


def row(head: str, cells: Sequence[str]) -> str:
    """A head across all columns, and below it a cell each."""
    across = f'<th scope="rowgroup" colspan="{len(cells)}" style="{CELL};border-top:{LINE}">{head}</th>'
    below = "".join(f'<td style="{CELL}">{cell}</td>' for cell in cells)
    return f"<tbody><tr>{across}</tr><tr>{below}</tr></tbody>"


def _row(claim: Claim[Students], found: Sequence[Judged]) -> str:
    link = f'<a href="#{claim.id.lower()}">{claim.id}</a>&ensp;{html.escape(claim.title)}'
    evidence = f'<small style="font-weight:normal"> · {html.escape(claim.measure.text)}</small>'
    return row(link + evidence, [_cell(claim, one) for one in found])


def _cell(claim: Claim[Students], one: Judged) -> str:
    """Verdict; the main number and its seeds; how the claim stands against its controls."""
    verdict, checks = one.of(claim), one.checks(claim)
    if not verdict.seeds:
        return verdict.sign
    number = claim.measure.over_seeds(next(iter(verdict.values.values())))
    stands = f"<br>{standing(checks)}" if checks else ""
    return f"{verdict.sign}<br><small>{number}, n = {len(verdict.seeds)}{stands}</small>"


def framed(content: str) -> str:
    """In the frame that the page leaves in its own colours, light or dark."""
    return f'<div class="kdnb-frame">{content}</div>'


# ------------------------------------------------------------------------------------------------------- C1 at every T
R = Measure("r of μ and the loss", "{:+z.2f}", "correlation")


@exhibit(
    "first-claim", "A row a study, a column a temperature: r of mu and the loss, and in how many seeds it is positive."
)
def by_temperature(found: Sequence[Judged]) -> Exhibit:
    """C1's number at every temperature: the paper does not say which T its r is of."""
    return Exhibit(None, "", temperatures_answer(found), strip(found))


def temperatures_answer(found: Sequence[Judged]) -> str:
    """At which temperatures r is positive by its whole interval over seeds, and at which its mean alone is."""
    every = [values for one in found for values in one.r.values()]
    if not every:
        return "**It cannot be told: no student here learned by KD and has an r.**"
    sides = {R.side(values) for values in every}
    some = "At some temperatures only" if 1 in sides else "It cannot be told"
    word = "Yes" if sides == {1} else "No" if sides == {-1} else some
    enough = [one for one in found if max(map(len, one.r.values()), default=0) >= stats.LEAST_RUNS]
    if not enough:
        return "**It cannot be told: no study here has three seeds.**"
    where = "; ".join(map(_positive, enough))
    few = "" if len(enough) == sum(bool(one.r) for one in found) else "; elsewhere there are too few seeds"
    return f"**{word}: by a whole interval over seeds r is positive {where}{few}.**"


def _positive(one: Judged) -> str:
    """Where r is positive on one study; n after each T where temperatures differ in it."""
    counts = {t: len(values) for t, values in one.r.items()}
    alike = len(set(counts.values())) == 1
    clear = [t for t, values in one.r.items() if R.side(values) == 1]

    def at(temperatures: Sequence[float]) -> str:
        return f"T = {style.joined(f'{t:g}' if alike else f'{t:g} (n = {counts[t]})' for t in temperatures)}"

    told = f"on {one.title} at {at(clear) if clear else 'no T that has three seeds'}"
    return told + (f" (n = {next(iter(counts.values()))})" if alike else "")


def strip(found: Sequence[Judged]) -> str:
    """r by temperature: its mean over seeds, and in how many of them it is positive; blue above zero, orange below."""
    temperatures = sorted({t for one in found for t in one.r})
    heads = "".join(f'<th scope="col" style="{CELL}">T = {t:g}</th>' for t in temperatures)
    rows = []
    for one in found:
        cells = "".join(_strip_cell(one.r.get(t, ())) for t in temperatures)
        rows.append(f'<tr><th scope="row" style="{CELL}">{html.escape(one.title)}</th>{cells}</tr>')
    look = "width:100%;font-size:0.875em;border-collapse:collapse"
    table = f'<table style="{look}"><thead><tr><td></td>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return framed(style.scrolled(table, "r by temperature"))


def _strip_cell(values: Sequence[float]) -> str:
    if not values:
        return f'<td style="{CELL}">–</td>'
    mean = R.mean(values)
    ground = f"rgba({'0,114,178' if mean > 0 else '213,94,0'},{0.4 * abs(mean):.2f})"
    positive = sum(value > 0 for value in values)
    seeds = f"<small>{positive} of {len(values)}</small>"
    return f'<td style="{CELL};background:{ground}">{R.over_seeds(values)}<br>{seeds}</td>'


# ------------------------------------------------------------------------------------------------------- every detail
@exhibit(
    "claims", "Each claim, folded: what the paper says, and a card a study with verdict, numbers, parts and controls."
)
def details(found: Sequence[Judged]) -> Exhibit:
    """Every claim on every study, folded."""
    return Exhibit(None, table=framed("".join(section(claim, found) for claim in paper.CLAIMS)))


def section(claim: Claim[Students], found: Sequence[Judged]) -> str:
    """What the paper says of one claim and where, the figure that carries it, and a card a study; text is escaped."""
    shown = SHOWN[claim.id]
    link = f'<a href="{address(shown, "digits")}">the figure in chapter {int(shown.chapter[:2])}</a>'
    marks = " ".join(MARKS[one.of(claim).verdict] for one in found)
    head = f"<strong>{claim.id}. {html.escape(claim.title)}</strong>&ensp;{marks}"
    body = (
        f'<p id="{claim.id.lower()}"><strong>The paper:</strong> {html.escape(claim.text)} '
        f"<em>({html.escape(claim.figure)})</em><br>See for yourself: {link}.</p>"
        f'<div style="{CARDS}">{"".join(_card(claim, one) for one in found)}</div>'
    )
    return style.folded(head, body, f"border-top:{LINE}")


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
    body = _numbers(claim, verdict) + _parts(verdict) if count else f"<p>It needs {html.escape(verdict.missing)}.</p>"
    body += _controls(one.checks(claim))
    return (
        f'<div role="group" aria-label="{claim.id}, {html.escape(one.title)}" style="{CARD}">'
        f"{html.escape(one.title)}<br><strong>{verdict.sign}</strong>{many}{body}</div>"
    )


def _numbers(claim: Claim[Students], verdict: Verdict) -> str:
    """Of each number the mean over seeds; below it the interval, and every seed's value."""
    rows = []
    for key, shown in claim.measures.items():
        values = verdict.values[key]
        text = f"<strong>{shown.over_seeds(values)}</strong>"
        if len(values) > 1 and shown.kind != "choice":
            text += f"<br><small>95%: {shown.between(values)}<br>seeds: {', '.join(map(shown.write, values))}</small>"
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
    head = f"Controls: <strong>{standing(checks)}</strong>"
    claimed = f"<small>Claimed: each {'above' if checks[0].sign > 0 else 'below'} 0.</small>"
    rows = ""
    for check in checks:
        shown = check.measure
        mean = f"<strong>{shown.over_seeds(check.values)}</strong>, " if check.values else ""
        name = f"{check.mark} {html.escape(shown.text)}"
        count = f" (n\u00a0=\u00a0{len(check.values)})" if check.values else ""
        text = f"{mean}<small>95%: {shown.told(check.interval, len(check.values))}{count}</small>"
        rows += f'<dt style="font-weight:normal">{name}</dt><dd style="margin:0 0 0.4em 1em">{text}</dd>'
    return style.folded(head, f'{claimed}<dl style="margin:0">{rows}</dl>', f"margin:0.4em 0 0;border-top:{LINE}")
