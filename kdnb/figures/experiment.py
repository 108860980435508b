"""Which runs a page shows, and how their experiment differs from the paper's, from the specs; as lines and as rows."""

from collections.abc import Iterable, Mapping

from kdnb import models, profiles
from kdnb.analysis import over_seeds, words
from kdnb.analysis.class_rows import last_weight
from kdnb.analysis.study import Study
from kdnb.claims.studies import Judged
from kdnb.figures import style

PAPER = profiles.get("cifar100")
CLASSES = 100  # of the paper's data
FEATURES = models.FAMILY[PAPER.student][1][-1]  # of its student


def about(studies: Iterable[Study]) -> str:
    """A line a study, in Markdown: whose runs, how many seeds, what is another experiment than the paper's."""
    return "\n".join(f"- {_line(study)}" for study in studies)


def brief(studies: Iterable[Study]) -> str:
    """The same in one sentence: whose runs, how many seeds; how they differ from the paper's stands with the claims."""
    found = list(studies)
    if not all(map(differences, found)):
        return about(found)
    told = style.joined(f"**{study.name}** ({_whose(study)})" for study in found)
    return f"{told}: {'neither' if len(found) == 2 else 'not'} the paper's experiment (chapter 12)."


def _whose(study: Study) -> str:
    count = over_seeds.counted(study, study.first_of_each)
    return f"{'published' if study.students[0].is_published else 'trained here'}, {count} a student"


def _line(study: Study) -> str:
    count = over_seeds.counted(study, study.first_of_each)
    whose = "published" if study.students[0].is_published else "trained here"
    other = differences(study)
    beside = f"not the paper's experiment (in brackets): {style.joined(other)}" if other else "the paper's experiment"
    return f"**{study.name}** ({whose}, {count} a student): {beside}."


def differences(study: Study) -> list[str]:
    """What differs from the paper's experiment, and in brackets what that is."""
    run = next((one for one in study.students if one.spec.teacher), study.students[0])
    spec = run.spec
    told = {
        f"data {spec.dataset}": (spec.dataset, PAPER.dataset),
        f"networks {style.networks(spec)}": (style.networks(spec), f"{PAPER.teacher} → {PAPER.student}"),
        words.counted(spec.epochs, "epoch"): (spec.epochs, PAPER.epochs),
    }
    if (run.path / "classifier.safetensors").exists():
        classes, features = last_weight(run).shape
        own = (f"{features} for {classes}", f"{FEATURES} for {CLASSES}")
        told[f"{features} features for {classes} classes"] = own
    return [f"{text} ({there})" for text, (here, there) in told.items() if here != there]


# :func:`row` of the paper.
PAPERS_ROW: Mapping[str, object] = {
    "study": "the paper",
    "images": PAPER.dataset,
    "teacher → student": f"{PAPER.teacher} → {PAPER.student}",
    "classes, features": f"{CLASSES} < {FEATURES}",
    "epochs": PAPER.epochs,
    "weight decay": "0.0005, or 0",
    "students": "not stated",
}


def row(one: Judged) -> dict[str, object]:
    """The experiment of one study."""
    spec = one.students[0].spec
    return {
        "study": one.title,
        "images": spec.dataset,
        "teacher → student": style.networks(spec),
        "classes, features": _room(one),
        "epochs": spec.epochs,
        "weight decay": f"{spec.weight_decay:g}",
        "students": f"{len(one.students)}, {words.counted(len({run.spec.init_seed for run in one.students}), 'seed')}",
    }


def _room(one: Judged) -> str:
    """Classes beside features; "–" where no classifier was kept."""
    run = one.students[0]
    if not (run.path / "classifier.safetensors").exists():
        return "–"
    classes, features = last_weight(run).shape
    return f"{classes} {'<' if classes < features else '>' if classes > features else '='} {features}"


def is_papers(one: Judged) -> bool:
    """Whether data, networks and epochs are the paper's."""
    spec = one.students[0].spec
    ours = (spec.dataset, spec.teacher and spec.teacher["model"], spec.model, spec.epochs)
    return ours == (PAPER.dataset, PAPER.teacher, PAPER.student, PAPER.epochs)
