"""The whole study: teacher and bystander -> students -> chapters -> book, through papermill.

    snakemake --cores 2 --configfile config/digits.yaml      (`make study` does this)
    snakemake --cores 2 --configfile config/results.yaml     (`make book`: from results/ alone, nothing is trained)

A second call does nothing. A run's file ``finished`` is its marker: delete it with the run's folder, and that run alone
is redone, since the trainer skips runs that are finished. A changed notebook redoes its chapter; a changed training
source, where the configuration says so, the runs it made; any other file of kdnb/ the chapters.
"""

import json
import os
from pathlib import Path

from snakemake.io import sourcecache_entry

from kdnb import paths
from kdnb.parameters import StudentParameters
from kdnb.train import provenance, study

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a job: more only spin when jobs run side by side
os.environ["KDNB_DISPLAY"] = "static"  # figures for the book, whoever calls
if "runs" in config:
    os.environ["KDNB_RUNS"] = str(paths.root() / config["runs"])
PROFILE = config["profile"]
RUNS = paths.runs(PROFILE)
BUILD = config.get("build", f"build/{Path(workflow.configfiles[-1]).stem}")  # called like the configuration
COMMON = {"profile": PROFILE, **config.get("common", {})}  # parameters of every training notebook
CHAPTERS = sorted(file.stem for file in (paths.root() / "notebooks").glob("*.ipynb"))
GROUPS = {name: {**COMMON, **given} for name, given in config["students"].items()}
MARKERS = {
    name: [f"{study.folder(given)}/{run}/finished" for run in study.student_names(given)]
    for name, given in {name: StudentParameters(**given) for name, given in GROUPS.items()}.items()
}
TEACHERS = local([f"{RUNS}/teacher-s{seed}/finished" for seed in config["teachers"]])
STUDENTS = local(sorted({marker for markers in MARKERS.values() for marker in markers}))
# Object storage carries files alone: there a run is one archive, which comes with everything or not at all.
CARRIED = workflow.storage_settings.default_storage_provider is not None
CODE = [f"{RUNS}/code"] if config["discard_stale"] and not CARRIED else []
# Prints a training notebook's progress lines, keeps all it says in a log.
PAPERMILL = (
    "papermill -k python3 --no-progress-bar --log-output --request-save-on-cell-execute {input.notebook} {log.notebook} "
    "-y {params.given:q} 2>&1 | tee {log.text} | {{ grep --line-buffered -E ': (epoch|chunk) ' || true; }}"
)
UNPACK = "python -m kdnb unpack {RUNS} --archives {input.teachers}\n" if CARRIED else ""
PACK = "\npython -m kdnb pack {params.runs} --archives {output}" if CARRIED else ""


def made(markers):
    """What a training job makes where it runs: its runs' markers, or their archives for the storage."""
    if not CARRIED:
        return markers
    folders = [os.path.relpath(Path(marker).parent, RUNS.parent) for marker in markers]
    return [f"{config.get('runs', 'runs')}/{folder}.tar" for folder in folders]


def source(file):
    """A file of the repository, which every job has: never from the storage."""
    return sourcecache_entry(file, file)


def in_the_sweep(given):
    """Whether the chapter on students shows a group: it differs in nothing but plain methods and temperature."""
    plain = not any(":" in method for method in given["methods"])
    return plain and set(given) <= {*COMMON, "methods", "temperatures", "seed"} and not given.get("seed")


SWEEP = [given for given in GROUPS.values() if in_the_sweep(given)]
everything = {
    **COMMON,
    "methods": list(dict.fromkeys(method for given in SWEEP for method in given["methods"])),
    "temperatures": sorted({t for given in SWEEP for t in given.get("temperatures", [])}),
}
given_to = {
    # The best evidence of each; "cifar100" stands for the study nearest to the paper's.
    "00_start": {"profiles": list(dict.fromkeys([PROFILE, "digits", "cifar100"]))},
    **dict.fromkeys(
        ["03_mu_curves", "04_correlation", "05_tsne"],
        {"profiles": list(dict.fromkeys([PROFILE, "cifar100", "digits"]))},
    ),
    "01_teacher": COMMON,
    "02_students": everything if GROUPS else COMMON,
    # What only published studies have, side by side: the notebooks name them.
    **dict.fromkeys(["08_statistics", "11_methods", "09_interventions", "10_geometry", "13_discussion"], {}),
}
RESULTS = local(sorted(
    str(file) for kind in ("*/published.json", "comparisons/*") for file in paths.root().glob(f"results/[!.]*/{kind}")
))
SOURCES = local([*provenance.sources(), *sorted(map(str, paths.root().glob("kdnb/book/static/*")))])


wildcard_constraints:
    seed=r"\d+",


rule all:
    input:
        local(f"{BUILD}/book/index.html"),
        TEACHERS,
        STUDENTS,


rule trained:
    """Every run, and no book."""
    input:
        TEACHERS,
        STUDENTS,


rule code:
    """Set aside what other training code made."""
    input:
        provenance.training_sources(),
    output:
        f"{RUNS}/code",
    shell:
        "python -m kdnb set-aside {RUNS} && echo made > {output}"


rule teacher:
    input:
        CODE,
        notebook=source("notebooks/01_teacher.ipynb"),
    output:
        made([f"{RUNS}/teacher-s{{seed}}/finished"]),
    params:
        given=lambda wildcards: json.dumps({**COMMON, "seed": int(wildcards.seed)}),
        runs=RUNS,
    resources:
        gpu=config["gpus_a_job"],
    log:
        notebook=f"{BUILD}/log/teacher-s{{seed}}.ipynb",
        text=f"{BUILD}/log/teacher-s{{seed}}.txt",
    shell:
        PAPERMILL + PACK


for place, (name, markers) in enumerate(MARKERS.items()):

    rule:
        name:
            f"students_{name}"
        input:
            CODE,
            teachers=made(TEACHERS),
            notebook=source("notebooks/02_students.ipynb"),
        output:
            made(markers),
        priority: len(MARKERS) - place  # as the configuration lists them
        params:
            given=json.dumps(GROUPS[name]),
            runs=Path(markers[0]).parents[1],
        resources:
            gpu=config["gpus_a_job"],
        log:
            notebook=f"{BUILD}/log/students-{name}.ipynb",
            text=f"{BUILD}/log/students-{name}.txt",
        shell:
            UNPACK + PAPERMILL + PACK


for name, markers in ({"teachers": TEACHERS, **MARKERS} if CARRIED else {}).items():

    rule:
        name:
            f"fetched_{name}"
        input:
            made(markers),
        output:
            local(markers),
        params:
            runs=Path(markers[0]).parents[1],
        shell:
            "python -m kdnb unpack {params.runs} --archives {input}"


rule chapter:
    """Execute a notebook for the book; it only reads finished runs. It takes its place when it is complete."""
    input:
        TEACHERS,
        STUDENTS,
        RESULTS,
        SOURCES,
        notebook=local("notebooks/{chapter}.ipynb"),
    output:
        local(f"{BUILD}/executed/{{chapter}}.ipynb"),
    params:
        given=lambda wildcards: json.dumps(given_to.get(wildcards.chapter, {"profile": PROFILE})),
    log:
        notebook=local(f"{BUILD}/log/{{chapter}}.ipynb"),
        text=local(f"{BUILD}/log/{{chapter}}.txt"),
    shell:
        PAPERMILL + "\ncp {log.notebook} {output}"


rule book:
    input:
        local(expand(f"{BUILD}/executed/{{chapter}}.ipynb", chapter=CHAPTERS)),
        local(expand("book/{page}", page=glob_wildcards("book/{page}").page)),
        local(["_config.yml", "_toc.yml"]),
        SOURCES,
    output:
        local(f"{BUILD}/book/index.html"),
    log:
        local(f"{BUILD}/log/book.txt"),
    shell:
        "python -m kdnb book --executed {BUILD}/executed --output {BUILD}/book --profile {PROFILE} 2>&1 | tee {log}"
