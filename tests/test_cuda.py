"""CUDA: the captured step against its plain twin. Where there is no CUDA device there is nothing to compare."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Train, with_teachers

from kdnb import methods

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
PLAIN = {"cuda_graph": False}
GRAPHS: list[dict[str, object]] = [{}, {"streams": 2}]


@pytest.mark.parametrize("outputs", ["live", "table"])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 2e-2), ("fp16", 1e-2)])
def test_graphs_equal_plain_steps_within_rounding(
    train: Train, tmp_path: Path, precision: str, tolerance: float, outputs: str
) -> None:
    """Two epochs of three students with an odd last batch: losses and mu agree, and the account balances in all."""
    histories = []
    for number, how in enumerate([PLAIN, *GRAPHS]):
        runs = train(
            output_dir=str(with_teachers(tmp_path / str(number), tmp_path)),
            methods=["normal", "kd"],
            temperatures=[1, 4],
            device="cuda",
            precision=precision,
            teacher_outputs=outputs,
            epochs=2,
            batch_size=48,
            **how,
        )
        histories.append([run.history for run in runs])
    for plain, *graphed in zip(*histories, strict=True):
        for history in (plain, *graphed):
            np.testing.assert_allclose(history["loss"], plain["loss"], rtol=tolerance)
            np.testing.assert_allclose(history["mu_raw"], plain["mu_raw"], rtol=tolerance)
            assert (history["account_residual"].abs() < 1e-5 * history["mu_raw"] ** 2).all()


@pytest.mark.parametrize("name", methods.METHODS)
def test_every_methods_captured_step_equals_its_plain_one(name: str, train: Train, tmp_path: Path) -> None:
    """Projectors, memories and frozen classifiers too, within the rounding of another order of sums."""
    plain, graphed = (
        train(
            output_dir=str(with_teachers(tmp_path / str(number), tmp_path)),
            methods=[name],
            temperatures=[4],
            device="cuda",
            precision="fp32",
            teacher_outputs="live",
            epochs=2,
            batch_size=48,
            **how,
        )[0].history
        for number, how in enumerate((PLAIN, {}))
    )
    np.testing.assert_allclose(graphed["loss"], plain["loss"], rtol=1e-2)
    np.testing.assert_allclose(graphed["weight_norm"], plain["weight_norm"], rtol=1e-3)
