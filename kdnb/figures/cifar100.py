"""What the published results are of, and how well these networks learned."""

from kdnb import profiles, runs
from kdnb.analysis.selection import Study
from kdnb.figures import style
from kdnb.figures.training import provenance_table


def about(study: Study) -> str:
    """What was trained on what and for how long, and what the paper trained instead."""
    spec, paper = study.students[0].spec, profiles.get("cifar100")
    labels = style.joined(run.label for run in study.students)
    made = provenance_table(study.every)
    hardware, torch = (style.joined(made[column].unique()) for column in ("hardware", "torch"))
    return (
        f"**{style.networks(spec)}** on {spec.dataset}, {spec.epochs} epochs, convolutions in {spec.precision}; "
        f"{len(study.every)} students of {style.seeds(study.every)}, those of the figures: {labels}. "
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
