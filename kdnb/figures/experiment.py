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
    beside = f"not the paper's experiment: {style.joined(other)}" if other else "the paper's own experiment"
    return f"**{study.name}** ({whose}, {count} a student): {beside}."


def differences(study: Study) -> list[str]:
    """What differs from the paper's experiment, here against there."""
    run = next((one for one in study.students if one.spec.teacher), study.students[0])
    spec = run.spec
    pairs = {
        "data": (spec.dataset, PAPER.dataset),
        "networks": (style.networks(spec), f"{PAPER.teacher} → {PAPER.student}"),
        "epochs": (spec.epochs, PAPER.epochs),
    }
    if (run.path / "classifier.safetensors").exists():
        own = "{1} for {0}".format(*last_weight(run).shape)
        pairs["features for classes"] = (own, f"{FEATURES} for {CLASSES}")
    return [
        f"{words.counted(spec.epochs, 'epoch')} in place of {there}"
        if name == "epochs"
        else f"{name} {here} in place of {there}"
        for name, (here, there) in pairs.items()
        if here != there
    ]
