"""A made-up study with every cell of the design: what is learned, and whose classifier answers."""

from dataclasses import replace
from pathlib import Path

from made_up import SPEC, store, write

from kdnb import methods
from kdnb.analysis import selection
from kdnb.analysis.selection import ChapterParameters
from kdnb.analysis.study import Study
from kdnb.runs import RunSpec


def spec(name: str, seed: int = 0, **parameters: float) -> RunSpec:
    full = methods.parameters_of(methods.create(name, parameters))
    return replace(SPEC, method=name, method_parameters=full, init_seed=seed)


CELLS = {
    ("answers", "own"): spec("kd"),
    ("answers", "W_t"): spec("frozen"),
    ("answers", "W_o"): spec("foreign"),
    ("answers", "random"): spec("random"),
    ("labels", "own"): SPEC,
    ("labels", "W_t"): spec("frozen", alpha=0),
    ("labels", "W_o"): spec("foreign", alpha=0),
    ("labels", "random"): spec("random", alpha=0),
    ("labels", "started"): spec("started", alpha=0),
}


def make(place: Path) -> Study:
    """Three seeds of every cell, with accuracies of their own, and runs that are none of them."""
    folder = store(place, [SPEC]).folder
    every = [*CELLS.values(), spec("straight"), spec("projected"), spec("kd", temperature=1), spec("kd", alpha=0.5)]
    for seed in range(3):
        for one in every:
            run = write(folder, replace(one, init_seed=seed))
            matched = {"plug_in_accuracy_matched": 0.9, "bystander_plug_in_accuracy_matched": 0.8 + seed / 100}
            run.history.assign(**matched).to_parquet(run.path / "history.parquet")
    chosen = ChapterParameters(output_dir=str(folder), methods=list(methods.METHODS))
    return selection.load(chosen)
