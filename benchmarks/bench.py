"""Our loop against the field's usual one, in one run: speed, memory, and what the hardware could do at most.

    make bench                    # on the device that is there
    make bench DEVICE=cpu DATA=data

Every loop lives in a process of its own. In each round each runs one block while the others wait, and ratios are taken
within a round. On CUDA every accelerated path is then compared with its plain twin on the same seed. The output is
markdown for ``benchmarks/log.md``. Without the files of CIFAR-100 the images are noise: only time is measured.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks import costs, floors, switches, tracker
from benchmarks.contender import Contender, Entry, measure
from benchmarks.floors import Demand, Roof
from benchmarks.loops import IMAGES, RUNS, STUDENT, TEACHER, Evaluation, Ours, Place, Setting, TableBuild, Usual
from benchmarks.report import head, row, spread
from kdnb import device as devices
from kdnb.sweep.costs import Cost
from kdnb.train import provenance

FIELD_WORKERS = 8
EPOCHS, VIEWS = 240, 162
TESTED = 15_000  # test and clean images after every epoch
USUAL, SWEEP, IN_TRAINING, EVALUATION = "the usual loop", f"sweep of {RUNS}, each", "teacher in training", "evaluation"


COLUMNS = "images/s", "ms an image", "of arithmetic", "of bandwidth", "memory"


class Amounts(NamedTuple):
    """How much is one block: steps of one student and of slower things; images of table and evaluation."""

    rounds: int
    warm_up: int
    steps: int
    slow_steps: int
    table: int
    evaluation: int


AMOUNTS = {"cpu": Amounts(7, 1, 2, 1, 2, 256), "cuda": Amounts(5, 20, 100, 30, 512, 10_000)}


class Line(NamedTuple):
    """One line of the report: what is timed, what one of its images asks of the hardware, in which precision."""

    entry: Entry
    demand: Demand
    precision: str


def students(place: Place, amounts: Amounts, natural: str) -> dict[str, Line]:
    """Ways to train a student: the usual loop, ours with table and live teacher, the whole sweep in lockstep."""
    torchs_own = "tf32" if devices.has(devices.choose(place.device), "tf32") else "fp32"
    named = {USUAL: Line(Entry(partial(Usual, place), amounts.steps), live(torchs_own), torchs_own)}
    for precision in dict.fromkeys((natural, "fp32")):
        table, teacher = (
            Entry(partial(Ours, place, Setting(precision, teacher_outputs=outputs)), amounts.steps)
            for outputs in ("stand-in", "live")
        )
        named[f"{precision}, table"] = Line(table, floors.training(STUDENT, precision), precision)
        named[f"{precision}, live teacher"] = Line(teacher, live(precision), precision)
    sweep = Entry(partial(Ours, place, Setting(natural, "sweep")), amounts.slow_steps)
    return named | {SWEEP: Line(sweep, floors.training(STUDENT, natural), natural)}


def live(precision: str) -> Demand:
    """Of a student's step with the teacher's forward pass."""
    return floors.training(STUDENT, precision).plus(floors.forward(TEACHER, precision))


def the_rest(place: Place, amounts: Amounts, natural: str) -> dict[str, Line]:
    """What the paper needs beside its students."""
    named = {}
    for precision in dict.fromkeys((natural, "fp32")):
        build = Entry(partial(TableBuild, place, precision), amounts.table)
        named[f"table, {precision}"] = Line(build, floors.forward(TEACHER, precision), precision)
    teacher = Entry(partial(Ours, place, Setting(natural, "teacher", "live")), amounts.slow_steps)
    evaluation = Entry(partial(Evaluation, place, natural), amounts.evaluation)
    return named | {
        IN_TRAINING: Line(teacher, floors.training(TEACHER, natural), natural),
        EVALUATION: Line(evaluation, floors.forward(STUDENT, "fp32"), "fp32"),
    }


def table_seconds(rate: float) -> float:
    """The teacher table's share in one training image of the paper's sweep; ``rate``: its forward passes a second."""
    return VIEWS / (RUNS * EPOCHS * rate)


def with_table(usual: Sequence[float], ours: Sequence[float], table: Sequence[float]) -> list[float]:
    """How many times as fast as the usual loop, its share of the table included, by round; all in images/s."""
    return [
        (1 / slow) / (1 / fast + table_seconds(build)) for slow, fast, build in zip(usual, ours, table, strict=True)
    ]


def print_students(named: Mapping[str, Line], measured: Mapping[str, Contender], roofs: Mapping[str, Roof]) -> None:
    """A row each, compared with the usual loop."""
    print(head("loop", *COLUMNS, "epoch", "times the usual loop"))
    usual = rates(measured[USUAL])
    for name, line in named.items():
        here = rates(measured[name])
        ratios = [fast / slow for fast, slow in zip(here, usual, strict=True)]
        epoch = f"{IMAGES / median(here):,.1f} s"
        print(row(name, *cells(line, measured[name], roofs), epoch, spread(ratios, "{:.2f}")))


def print_rest(named: Mapping[str, Line], measured: Mapping[str, Contender], roofs: Mapping[str, Roof]) -> None:
    """A row each."""
    print(head("beside the students", *COLUMNS))
    for name, line in named.items():
        print(row(name, *cells(line, measured[name], roofs)))


def cells(line: Line, contender: Contender, roofs: Mapping[str, Roof]) -> list[str]:
    """Under ``COLUMNS``."""
    speed = median(rates(contender))
    shares = [
        f"{100 * speed * part / most:.0f} %" for part, most in zip(line.demand, roofs[line.precision], strict=True)
    ]
    memory = f"{contender.blocks[-1].peak / 1e9:.2f} GB"
    return [spread(rates(contender), "{:,.0f}"), f"{1e3 / speed:.3g}", *shares, memory]


def rates(contender: Contender) -> list[float]:
    """Images/s by round."""
    return [block.rate for block in contender.blocks]


def print_all(
    trained: Mapping[str, Line], rest: Mapping[str, Line], measured: Mapping[str, Contender], roofs: Mapping[str, Roof]
) -> None:
    """Both tables, of what was measured; without the usual loop there is nothing to compare students with."""
    trained, rest = ({name: line for name, line in some.items() if name in measured} for some in (trained, rest))
    if USUAL in trained:
        print_students(trained, measured, roofs)
        print()
    print_rest(rest if USUAL in trained else {**trained, **rest}, measured, roofs)
    print()


def print_sums(measured: Mapping[str, Contender], natural: str, solving: float) -> None:
    """What follows from the rows: the table shared out over the sweep, and the time of the whole paper.

    ``solving``: seconds in which the tracker solves for one student's row of an epoch; several may go side by side.
    """
    for precision in dict.fromkeys((natural, "fp32")):
        ours, table = rates(measured[f"{precision}, table"]), rates(measured[f"table, {precision}"])
        minutes, share = IMAGES * VIEWS / median(table) / 60, 1e3 * table_seconds(median(table))
        ratio = spread(with_table(rates(measured[USUAL]), ours, table), "{:.2f}")
        print(
            f"- {precision}: the table's {IMAGES * VIEWS:,} forward passes take {minutes:,.1f} min, {share:.3g} ms an "
            f"image when shared by {RUNS} runs of {EPOCHS} epochs; with it one student is {ratio} times as fast."
        )
    speed = {name: median(rates(contender)) for name, contender in measured.items()}
    table_speed = speed[f"table, {natural}"]
    teacher = EPOCHS * (IMAGES / speed[IN_TRAINING] + TESTED / table_speed)
    sweep = RUNS * EPOCHS * (IMAGES / speed[SWEEP] + TESTED / speed[EVALUATION])
    parts = {"teacher": teacher, "table": IMAGES * VIEWS / table_speed, f"sweep of {RUNS}": sweep}
    parts[f"tracker, {solving:.2f} s a row"] = RUNS * EPOCHS * solving
    total = {**parts, "together": sum(parts.values())}
    print(
        "- the paper, evaluation included:", ", ".join(f"{name} {time / 60:,.1f} min" for name, time in total.items())
    )


def measured_costs(measured: Mapping[str, Contender], card: str, natural: str, source: str) -> list[Cost]:
    """What ``kdnb plan`` reads of this: seconds an image of steps and passes, on images of CIFAR's size."""
    rows = {SWEEP: ("train", STUDENT, natural, "table", RUNS), EVALUATION: ("forward", STUDENT, "fp32", "none", 1)}
    rows[IN_TRAINING] = ("train", TEACHER, natural, "none", 1)
    for precision in (natural, "fp32"):
        rows[f"{precision}, table"] = ("train", STUDENT, precision, "table", 1)
        rows[f"table, {precision}"] = ("forward", TEACHER, precision, "none", 1)
    return [
        Cost(card, part, "cifar100", network, precision, outputs, group, 1 / median(rates(measured[name])), source)
        for name, (part, network, precision, outputs, group) in rows.items()
        if name in measured
    ]


def bench(place: Place, amounts: Amounts, session: Mapping[str, Any]) -> None:
    """Measure and print everything for one device, and keep what ``kdnb plan`` reads; ``session``: its provenance."""
    device = devices.choose(place.device)
    natural = devices.natural_precision(device)
    trained, rest = students(place, amounts, natural), the_rest(place, amounts, natural)
    named = trained | rest
    measured = measure({name: line.entry for name, line in named.items()}, amounts.rounds, amounts.warm_up)
    precisions = dict.fromkeys(line.precision for line in named.values())
    roofs = {precision: floors.roof(device, precision) for precision in precisions}
    print_all(trained, rest, measured, roofs)
    for precision, roof in roofs.items():
        print(f"- at most, measured, {precision}: {roof.operations / 1e12:.3g} TFLOP/s, {roof.traffic / 1e9:,.0f} GB/s")
    if lost := [name for name in named if name not in measured]:
        print(f"- not measured: {', '.join(lost)}; so no sums")
    else:
        print_sums(measured, natural, median(tracker.solver_seconds(tracker.FULL)))
    card, day = costs.card(session["hardware"], session["threads"]), session["started"][:10]
    costs.add(measured_costs(measured, card, natural, f"python -m benchmarks.bench, {day}, commit {session['commit']}"))
    print(f"- kept for `kdnb plan`: {costs.FILE}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, say on what, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto (CUDA where there is one), cuda or cpu")
    parser.add_argument("--data-dir", type=Path, help="folder of CIFAR-100; without it the images are noise")
    given = parser.parse_args(arguments)
    device = devices.choose(given.device)
    place = Place(device.type, given.data_dir, min(FIELD_WORKERS, max(1, (os.cpu_count() or 1) - 1)))
    amounts, session = AMOUNTS[device.type], provenance.describe(device)
    hardware, versions = session["hardware"], ", ".join(" ".join(pair) for pair in session["versions"].items())
    print(
        f"{hardware['device']}, {hardware['cpu']}, {session['threads']} thread(s), {versions}, commit "
        f"{session['commit']}; images: {given.data_dir or 'noise'}; {place.workers} worker(s) of the usual loop; "
        f"n = {amounts.rounds} rounds, medians (range)\n",
        flush=True,
    )
    bench(place, amounts, session)
    if device.type == "cuda":
        print()
        switches.compare(place, device)


if __name__ == "__main__":
    main()
