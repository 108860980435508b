"""CUDA: the captured step against its plain twin. Where there is no CUDA device there is nothing to compare."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 2e-2)])
def test_graph_equals_plain_within_rounding(
    train: Train, tiny_folder: Path, tmp_path: Path, precision: str, tolerance: float
) -> None:
    """Two epochs with an odd last batch: losses and mu agree, and the account balances in both."""
    histories = []
    for graph in (True, False):
        folder = tmp_path / str(graph)
        folder.mkdir()
        for seed in (0, 1):
            (folder / f"teacher-s{seed}").symlink_to(tiny_folder / f"teacher-s{seed}")
        (run,) = train(
            output_dir=str(folder),
            methods=["kd"],
            temperatures=[4],
            device="cuda",
            precision=precision,
            epochs=2,
            batch_size=48,
            cuda_graph=graph,
        )
        histories.append(run.history)
    graphed, plain = histories
    np.testing.assert_allclose(graphed["loss"], plain["loss"], rtol=tolerance)
    np.testing.assert_allclose(graphed["mu_raw"], plain["mu_raw"], rtol=tolerance)
    for history in histories:
        assert (history["account_residual"].abs() < 1e-5 * history["mu_raw"] ** 2).all()
