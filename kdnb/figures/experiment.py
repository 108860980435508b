"""Which runs a page shows, and how their experiment differs from the paper's, from the specs."""

from collections.abc import Iterable

from kdnb import models, profiles
from kdnb.analysis import over_seeds, words
from kdnb.analysis.class_rows import last_weight
from kdnb.analysis.study import Study
from kdnb.figures import style

PAPER = profiles.get("cifar100")
CLASSES = 100  # of the paper's data
FEATURES = models.FAMILY[PAPER.student][1][-1]  # of its student


def about(studies: Iterable[Study]) -> str:
    """A line a study, in Markdown: whose runs, how many seeds, what is another experiment than the paper's."""
    return "\n".join(f"- {_line(study)}" for study in studies)


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
