"""What a frozen classifier alone hands on of its owner: features, and answers."""

from collections.abc import Mapping

import pandas as pd

from kdnb.analysis import handed_on, over_seeds, words
from kdnb.analysis.handed_on import ALONE, MEASURES
from kdnb.analysis.over_seeds import Estimate, Values
from kdnb.analysis.study import Study
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.statistics import crossed as drawn_crossed
from kdnb.methods import METHODS

Leads = Mapping[str, Mapping[str, Values]]  # by measure and study
POINTS, KD = "{:+z.2f}", "KD T=4"
PAIR = [ALONE.format(label) for label in (handed_on.OWN, handed_on.OTHER)]  # who is drawn
SEEN = {1: "yes", 0: "not seen", -1: "no"}
GIVEN = [METHODS[name].label for name in ("frozen", "foreign", "random", "rotated", "shuffled")]
# Whose classifier, and the labels of its students: those that learn from labels alone, and those that distil.
ROWS = {"its own, trained": ("normal", KD)} | {label: (ALONE.format(label), label) for label in GIVEN}
COLUMNS = {
    f"{measure}, {what}": (measure, place) for measure in MEASURES for place, what in enumerate(("labels", "KD"))
}


@exhibit(
    "handed-on",
    "The teacher's lead over the bystander with W_t frozen less with W_o frozen: features and answers, a row a study.",
)
def of_its_owner(studies: Mapping[str, Study]) -> Exhibit:
    """By how much students of labels alone are more like the owner of the classifier that they were given."""
    found = {measure: {name: handed_on.leads(one, measure) for name, one in studies.items()} for measure in MEASURES}
    swapped = {measure: _swapped(leads) for measure, leads in found.items()}
    rows = {f"{measure}, {name}": one for measure, there in swapped.items() for name, one in there.items()}
    answer = sentence(swapped) + pairs_sentence(studies)
    if not rows:
        return Exhibit(answer=answer)
    fig = intervals.rows(rows, "with W_t less with W_o", "circle")
    fig.update_xaxes(title_text="lead of the teacher: with W<sub>t</sub> frozen less with W<sub>o</sub> (points)")
    shown = [run for study in studies.values() for run in study.every if run.label in PAIR]
    drawn = style.titled(fig.update_layout(margin_l=190), "students of labels alone, last epoch; 95% over seeds", shown)
    return Exhibit(drawn, answer=answer, table=leads(found))


def _swapped(found: Mapping[str, Values]) -> dict[str, Estimate]:
    """W_t's lead less W_o's by study, of those that have both."""
    every = {name: handed_on.by_classifier(leads) for name, leads in found.items()}
    return {name: one for name, one in every.items() if one.values}


def sentence(swapped: Mapping[str, Mapping[str, Estimate]]) -> str:
    """Of which studies students from labels alone are more like the owner of their classifier, measure by measure."""
    every = [one for there in swapped.values() for one in there.values()]
    if not every:
        return (
            "**What a classifier alone hands on cannot be told: no student here has W<sub>o</sub> and labels alone.**"
        )
    told = [f"in {measure} {_said(there)}" for measure, there in swapped.items() if there]
    return words.sentence(f"{'; '.join(told)} (points; the interval leaves out zero for {over_seeds.off_zero(every)})")


def pairs_sentence(studies: Mapping[str, Study]) -> str:
    """The same of answers over crossed teachers, study by study, KD beside it; empty where none are crossed."""
    parts = []
    for name, study in studies.items():
        one, pairs = handed_on.over_pairs(study)
        kd, _ = handed_on.over_pairs(study, KD)
        beside = f"; {KD}, which hears answers, {kd.told(POINTS)}" if kd.values else ""
        if one.values:
            parts.append(f"{SEEN[one.side]} on {name}, {one.told(POINTS)}{beside} ({drawn_crossed.over(pairs)})")
    text = "With each teacher once the owner and once the other one, in answers"
    return f" **{text} {'; '.join(parts)}.**" if parts else ""


def brief(studies: Mapping[str, Study]) -> str:
    """Of answers alone, in a clause without intervals, over crossed teachers where there are; empty without any."""
    told = []
    for name, study in studies.items():
        crossed, _ = handed_on.over_pairs(study)
        one = crossed if crossed.values else handed_on.by_classifier(handed_on.leads(study, "answers"))
        if one.values:
            said = f"by {one.mean:.2f} points" if one.side > 0 else SEEN[one.side]
            told.append((said, f"{name} ({len(crossed.values) or 'one pair of'} teachers)"))
    head = (
        "From labels alone a student with W<sub>t</sub> frozen answers more as its owner than one with W<sub>o</sub>, "
        "another teacher's (test images answered alike)"
    )
    return f"{head}: {style.together(told)}" if told else ""


def _said(there: Mapping[str, Estimate]) -> str:
    """Study by study: yes in points, no, or not seen."""
    few = [name for name, one in there.items() if not one.enough]
    clear = {name: one for name, one in there.items() if one.side}
    parts = [f"{SEEN[one.side]} on {name}, {one.told(POINTS)}" for name, one in clear.items()]
    unseen = [name for name in there if name not in clear and name not in few]
    parts += [f"not seen on {style.joined(unseen)}"] if unseen else []
    return ", ".join([*parts, *([f"from too few seeds on {style.joined(few)}"] if few else [])])


def leads(found: Leads) -> str:
    """The teacher's lead, a row a study and a classifier, folded."""
    rows = []
    for name in next(iter(found.values())):
        means = {measure: over_seeds.estimates(there[name]) for measure, there in found.items()}
        for whose, labels in ROWS.items():
            cells = {
                column: means[measure][labels[place]].told(POINTS) if labels[place] in means[measure] else "–"
                for column, (measure, place) in COLUMNS.items()
            }
            if set(cells.values()) != {"–"}:
                rows.append({"study": name, "classifier": words.typeset(whose)} | cells)
    body = (
        style.table(pd.DataFrame(rows), "lead of the teacher over the bystander, points", escape=False) if rows else ""
    )
    return style.folded("Leads of the teacher (points)", body) if rows else ""
