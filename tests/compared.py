"""Two made-up studies beside each other: many methods, alphas, temperatures, readings and schedules, and few."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from made_up import SPEC, TEACHER_SPEC, write

from kdnb import methods
from kdnb.analysis.selection import StudiesParameters
from kdnb.files import write_tensors
from kdnb.runs import RunSpec

EARLY = (12, 15, 18, 21)  # the paper's other schedule, of 24 epochs


def spec(method: str, parameters: dict[str, float] | None = None, **changes: object) -> RunSpec:
    full = methods.parameters_of(methods.create(method, parameters))
    return replace(SPEC, method=method, method_parameters=full, **changes)  # type: ignore[arg-type]


def make(folder: Path, specs: Sequence[RunSpec]) -> None:
    """Made-up runs; SimKD's without mu, as the tracker leaves it."""
    write(folder, TEACHER_SPEC)
    for one in specs:
        run = write(folder, one, without="mu_|plug_in|classifier_cosine" if one.method == "simkd" else "$^")
        write_tensors(run.path / "classifier.safetensors", trace(sum(map(ord, one.name))), {})


def trace(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"weight": torch.randn(2, 3, 4, generator=generator), "bias": torch.zeros(2, 3)}


def compared(root: Path) -> StudiesParameters:
    """Write them under ``root``; what reads them."""
    both = [(name, seed) for name in ("normal", "simkd", "fitnet") for seed in (0, 1, 2)]
    make(
        root / "digits",
        [
            *(spec(name, init_seed=seed) for name, seed in both),
            *(spec("kd", {"temperature": t}) for t in (1, 4, 10, 50)),
            *(
                spec("kd", {"temperature": 4, "alpha": alpha}, init_seed=seed)
                for alpha in (0.1, 0.9)
                for seed in (1, 2)
            ),
            *(spec("kd", {"temperature": t, "squared": 0}) for t in (1, 4)),
            *(spec("mse", {"alpha": alpha}) for alpha in (0.9, 1.0)),
            *(spec(name, drops=EARLY, init_seed=seed) for name, seed in (("normal", 0), ("kd", 0), ("normal", 7))),
            spec("simkd", {"factor": 4}),
        ],
    )
    make(root / "cifar100-small", [spec("normal"), spec("kd", {"temperature": 2})])
    return StudiesParameters(results_dir=str(root))
