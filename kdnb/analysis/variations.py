"""What else was varied: alpha, temperatures beyond the paper's, the schedule, the factor T squared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from kdnb import methods, profiles
from kdnb.analysis import correlations, over_seeds
from kdnb.analysis.selection import StudiesParameters
from kdnb.analysis.students import HOTTEST
from kdnb.analysis.study import Study
from kdnb.runs import Run

TEMPERATURES = (*map(float, range(1, 11)), 20.0, 50.0)
EARLY = (120, 150, 180, 210)  # the paper's other schedule, of 240 epochs


@dataclass(frozen=True)
class Varied:
    """Runs of one study and what was varied in them.

    table    a row a run: line (its name in the legend), x (its place on the axis), seed; final raw mu, that to the
             bystander, r of mu and the loss, final test accuracy: mu, bystander, r, accuracy
    axis     what is along it
    """

    study: Study
    runs: Sequence[Run]
    table: pd.DataFrame
    axis: str

    @property
    def places(self) -> list[str]:
        """The axis, from left to right."""
        return list(dict.fromkeys(self.table["x"]))

    @property
    def lines(self) -> list[str]:
        """The names in the legend."""
        return list(dict.fromkeys(self.table["line"]))


def alphas(chosen: StudiesParameters) -> dict[str, Varied]:
    """By study, KD at T = 4 and MSE at every alpha, and normal training, which is alpha = 0; those with two or more."""
    found = {}
    for name, study in chosen.present(chosen.profiles, methods=("normal", "kd", "mse"), temperatures=(4.0,)).items():
        runs = sorted(study.every, key=_alpha)
        if len({_alpha(run) for run in runs if run.spec.method != "normal"}) > 1:
            rows = _of_every_place([(run, run.label, f"{_alpha(run):g}") for run in runs])
            found[name] = Varied(study, [run for run, _, _ in rows], _table(study, rows), "α (0: normal training)")
    return found


def temperatures(chosen: StudiesParameters) -> dict[str, Varied]:
    """By study, KD at every T, and MSE at the end of the axis; those seeds that have a T beyond the paper's."""
    found = {}
    for name, study in chosen.present(chosen.profiles, methods=("kd", "mse"), temperatures=TEMPERATURES).items():
        hot = {run.spec.init_seed for run in study.shown if run.spec.method_parameters.get("temperature", 0) > HOTTEST}
        if hot:
            shown = [run for run in study.shown if run.spec.init_seed in hot]
            named = [(run, run.label.split(" ")[0], run.label.removeprefix("KD T=")) for run in shown]
            rows = _of_every_place(named)
            found[name] = Varied(study, [run for run, _, _ in rows], _table(study, rows), "temperature T; last: MSE")
    return found


def schedules(chosen: StudiesParameters) -> dict[str, Varied]:
    """By study, students under the field's schedule and under the paper's other one; those that have both."""
    found: dict[str, Varied] = {}
    for name, usual in chosen.present(chosen.profiles, methods=("normal", "kd")).items():
        early = [round(drop * usual.epochs / profiles.DROPS_OF) for drop in EARLY]
        other = chosen.present([name], methods=("normal", "kd"), drops=early)
        both = {"drops " + "/".join(map(str, one.students[0].spec.drops)): one for one in (usual, *other.values())}
        found |= _both(name, both)
    return found


def readings(chosen: StudiesParameters) -> dict[str, Varied]:
    """By study, KD with T squared and without; those that have both."""
    found: dict[str, Varied] = {}
    without = chosen.present(chosen.profiles, methods=("kd",), squared=False)
    for name, usual in chosen.present(chosen.profiles, methods=("kd",), squared=True).items():
        both = {"with T²": usual} | ({"without T²": without[name]} if name in without else {})
        found |= _both(name, both)
    return found


Row = tuple[Run, str, str]  # with the name of its line, and its place on the axis


def _of_every_place(rows: Sequence[Row]) -> list[Row]:
    """The rows of those seeds that a line has at all its places: a further seed at one of them would bend the line."""
    lines: dict[str, dict[str, list[Run]]] = {}
    for run, line, place in rows:
        lines.setdefault(line, {}).setdefault(place, []).append(run)
    kept = {run.path for places in lines.values() for runs in over_seeds.common(places).values() for run in runs}
    return [row for row in rows if row[0].path in kept]


def _both(name: str, named: Mapping[str, Study]) -> dict[str, Varied]:
    """By ``name``, the students that both of ``named`` have, same label and seed, a line each; empty without any."""
    every = {
        line: {(_squared_label(run), run.spec.init_seed): run for run in study.shown} for line, study in named.items()
    }
    common = [key for key in next(iter(every.values())) if all(key in runs for runs in every.values())]
    if len(named) < 2 or not common:
        return {}
    rows = [(runs[key], line, key[0]) for line, runs in every.items() for key in common]
    study = next(iter(named.values()))
    return {name: Varied(study, [run for run, _, _ in rows], _table(study, rows), "student")}


def _squared_label(run: Run) -> str:
    """The label that the run would have with T squared."""
    given = run.spec.method_parameters
    return methods.label(run.spec.method, given | ({"squared": 1.0} if "squared" in given else {}))


def _alpha(run: Run) -> float:
    return run.spec.method_parameters.get("alpha", 0.0)


def _table(study: Study, rows: Sequence[Row]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "line": name,
            "x": x,
            "seed": run.spec.init_seed,
            "mu": run.last("mu_raw"),
            "bystander": run.last("bystander_mu_raw"),
            "r": correlations.r_after(run, study.warm_up),
            "accuracy": run.last("test_accuracy"),
        }
        for run, name, x in rows
    )
