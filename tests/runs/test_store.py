"""The run store: what is written can be read again, and nothing half written is ever seen."""

import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Train
from made_up import SPEC, write

from kdnb import files, runs
from kdnb.files import write_json, write_tensors
from kdnb.measure.outputs import Outputs, accuracy
from kdnb.runs import Run, RunSpec

COLUMNS = """
epoch lr loss loss_ce loss_kd train_accuracy test_accuracy test_top5_accuracy test_loss clean_accuracy nc1 nc2 nc3
weight_norm bias_norm feature_norm logit_std spread length_pull_ce length_pull_kd length_pull_decay
length_account_residual
"""
COMPARED = """
mu_raw mu_centred mu_permuted mu_matched mu_scaled mu_rotated classifier_cosine bias_distance plug_in_accuracy
plug_in_accuracy_matched feature_cosine feature_cosine_shuffled feature_cosine_centred feature_cosine_centred_shuffled
cka agreement divergence reference_logit_std pull_ce pull_kd pull_decay account_residual
"""  # with the teacher, and with the bystander


def test_a_history_is_complete(tiny_runs: list[Run]) -> None:
    (run,) = [run for run in tiny_runs if run.label == "KD T=4"]
    beside = [f"{prefix}{name}" for prefix in ("", "bystander_") for name in COMPARED.split()]
    assert sorted(run.history) == sorted([*COLUMNS.split(), *beside])
    assert run.history["epoch"].tolist() == [1, 2, 3]
    assert np.isfinite(run.history.to_numpy()).all()


def test_the_history_follows_from_trace_and_snapshot(tiny_folder: Path, tiny_runs: list[Run]) -> None:
    """mu, norm, accuracy and plug-in accuracy again, from the stored tensors and from nothing else."""
    teacher = Run(tiny_folder / "teacher-s0").weights()
    for run in tiny_runs:
        weight, _ = run.trace()
        difference = weight.astype(np.float64) - teacher["classifier.weight"].double().numpy()
        np.testing.assert_allclose(run.history["mu_raw"], np.sqrt((difference**2).sum((1, 2))), rtol=1e-6)
        np.testing.assert_allclose(run.history["weight_norm"], np.linalg.norm(weight, axis=(1, 2)), rtol=1e-5)
        terms = [name for name in run.history if name.startswith("loss_")]
        np.testing.assert_allclose(run.history[terms].sum(axis=1), run.history["loss"], rtol=1e-12)
        final = run.snapshot("final")
        assert final is not None and final.epoch == 3
        last = run.history.iloc[-1]
        assert (final.logits.argmax(1) == final.labels).mean() == pytest.approx(last["test_accuracy"], abs=0.016)
        plugged = torch.from_numpy(final.features) @ teacher["classifier.weight"].t() + teacher["classifier.bias"]
        assert accuracy(plugged, torch.from_numpy(final.labels)) == pytest.approx(last["plug_in_accuracy"], abs=0.016)


def test_the_account_of_length_is_that_of_the_norm(tiny_runs: list[Run]) -> None:
    """The change of ||W_s||^2 is its pulls and the spread; what is left of the teacher's account is its direction."""
    for run in tiny_runs:
        h, terms = run.history, [name.removeprefix("pull_") for name in run.history if name.startswith("pull_")]
        length = h[[f"length_pull_{term}" for term in terms]].sum(axis=1) + h["spread"]
        np.testing.assert_allclose(length[1:], (h["weight_norm"] ** 2).diff()[1:], rtol=1e-3, atol=2e-4)
        towards = (h[[f"pull_{t}" for t in terms]].to_numpy() - h[[f"length_pull_{t}" for t in terms]].to_numpy()).sum(
            1
        )
        inner = (h["mu_raw"] ** 2 - h["weight_norm"] ** 2).diff()[1:]  # ||W_t||^2 - 2 <W_s, W_t>
        np.testing.assert_allclose(towards[1:], inner, rtol=1e-3, atol=2e-4)


def test_the_ladder_holds_on_every_epoch(tiny_runs: list[Run]) -> None:
    for run in tiny_runs:
        h = run.history
        slack = 1e-9
        assert (h["mu_raw"] + slack >= h["mu_permuted"]).all() and (h["mu_permuted"] + slack >= h["mu_rotated"]).all()
        assert (h["mu_matched"] + slack >= h["mu_permuted"]).all() and (h["mu_raw"] + slack >= h["mu_centred"]).all()


def test_the_matched_snapshot_is_of_the_first_epoch_that_reaches_the_threshold(train: Train) -> None:
    (run,) = train(methods=["normal"], epochs=6, matched_accuracy=0.3)
    reached = run.history.loc[run.history["clean_accuracy"] >= 0.3, "epoch"]
    snapshot = run.snapshot("matched")
    assert len(reached) > 1 and snapshot is not None and snapshot.epoch == reached.iloc[0]
    row = run.history.set_index("epoch").loc[snapshot.epoch]
    for images, column in (("test", "test_accuracy"), ("train", "clean_accuracy")):
        taken = run.snapshot("matched", images)
        assert taken is not None
        own = accuracy(torch.from_numpy(taken.logits), torch.from_numpy(taken.labels))
        assert own == pytest.approx(row[column], abs=2 / len(taken.labels)), images
    assert abs(row["test_accuracy"] - row["clean_accuracy"]) > 2 / 128  # or they could not be told apart


def test_outputs_beyond_half_precision_are_kept_whole(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    test, train = (Outputs(torch.tensor([[1.0, 7e4]]), torch.tensor([[2.0, 3.0]]), torch.tensor([1])) for _ in "ab")
    Run(tmp_path / "run").write_snapshot("final", test, train, 3)
    found = Run(tmp_path / "run").snapshot("final")
    assert found is not None and found.epoch == 3
    np.testing.assert_array_equal(found.features, [[1.0, 7e4]])
    np.testing.assert_array_equal(found.logits, [[2.0, 3.0]])


def test_a_run_that_never_gets_there_has_no_matched_snapshot(train: Train) -> None:
    (run,) = train(methods=["normal"], epochs=1, matched_accuracy=1.0)
    assert run.snapshot("matched") is None and run.snapshot("final", "train") is not None


def test_spec_survives_json(tiny_runs: list[Run]) -> None:
    spec = tiny_runs[0].spec
    assert RunSpec.from_json(spec.as_json()) == spec
    with pytest.raises(ValueError, match="another version of kdnb made it .colour."):
        RunSpec.from_json({**spec.as_json(), "colour": 1})


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("drops", 5, "drops is 5; it must be a valid array"),
        ("drops", [1, "two"], "drops.1 is 'two'; it must be a valid integer"),
        ("learning_rate", "fast", "learning_rate is 'fast'; it must be a valid number"),
        ("nesterov", 1, "nesterov is 1; it must be a valid boolean"),
        ("method_parameters", {"temperature": "4"}, "method_parameters.temperature is '4'; it must be a valid number"),
        ("teacher", {"model": None}, "teacher.model is None; it must be a valid string"),
        ("role", "pupil", "role is 'pupil'; it must be 'teacher' or 'student'"),
    ],
)
def test_a_value_of_another_type_is_named(tmp_path: Path, name: str, value: object, said: str) -> None:
    write_json(tmp_path / "spec.json", {**SPEC.as_json(), name: value})
    with pytest.raises(ValueError, match=re.escape(f"spec.json cannot be read: {said}")):
        _ = Run(tmp_path).spec


def test_find_selects_and_orders(tiny_folder: Path) -> None:
    assert [run.label for run in runs.find(tiny_folder, method="kd")] == ["KD T=1", "KD T=4"]
    assert all(run.spec.name == run.path.name for run in runs.find(tiny_folder))  # read back, keys in another order
    assert [run.spec.init_seed for run in runs.find(tiny_folder, role="teacher")] == [0, 1]
    with pytest.raises(ValueError, match="unknown run field 'metod'.*Did you mean 'method'"):
        runs.find(tiny_folder, metod="kd")
    labels = [run.label for run in runs.find(tiny_folder, role="student")]
    assert labels == ["DIST", "KD T=1", "KD T=4", "MSE", "normal"]


def test_no_run_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no run"):
        runs.load(tmp_path)


def test_a_truncated_checkpoint_is_refused_by_name_and_kept(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train(methods=["normal"])
    monkeypatch.undo()
    file = tmp_path / "normal-wd0.0005-s0" / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"checkpoint .*checkpoint.safetensors is damaged.*kept"):
        train(methods=["normal"])
    assert file.exists()


@pytest.mark.parametrize("content", [b"", b"half of i", b"[]", b"null"])
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("history.parquet", lambda run: run.history),
        ("provenance.json", lambda run: run.provenance),
        ("published.json", lambda run: run.told),
        ("spec.json", lambda run: run.spec),
    ],
)
def test_a_damaged_file_is_refused_by_name_and_kept(
    name: str, read: Callable[[Run], object], content: bytes, tmp_path: Path
) -> None:
    file = write(tmp_path, SPEC).path / name
    file.write_bytes(content)
    run = runs.run_in(file.parent)
    with pytest.raises(ValueError, match=rf"{name} (is damaged .*; it was kept\. Put a copy|cannot be read)"):
        read(run)
    assert file.read_bytes() == content


def test_a_failure_is_kept_whatever_bytes_it_names(tmp_path: Path) -> None:
    """A path that is no text must not hide the error that names it."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    odd.mkdir()
    Run(odd).write_failure(OSError(f"could not write {odd}"))
    assert Run(odd).failure == f"could not write {tmp_path}/caf\\udce9"
    (odd / "failed").write_bytes(b"caf\xe9")
    assert Run(odd).failure == "caf\N{REPLACEMENT CHARACTER}"


def test_a_full_disk_leaves_the_earlier_state_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "state.safetensors"
    files.write_tensors(file, {"a": torch.arange(3)}, {"epoch": 1})

    def full(_: Any, path: Path, **__: Any) -> None:
        path.write_bytes(b"half of i")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "save_file", full)
    with pytest.raises(OSError, match=r"could not write .*state.safetensors.*No space left.*untouched"):
        files.write_tensors(file, {"a": torch.arange(4)}, {"epoch": 2})
    tensors, metadata = files.read_tensors(file)
    assert tensors["a"].tolist() == [0, 1, 2] and metadata == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"]


def test_a_copied_folder_is_no_second_run(tmp_path: Path) -> None:
    made = write(tmp_path, SPEC)
    shutil.copytree(made.path, tmp_path / f"{made.path.name} (copy)")
    assert [run.path for run in runs.find(tmp_path)] == [made.path]
    shutil.rmtree(made.path)
    assert [run.path.name for run in runs.find(tmp_path)] == [f"{made.path.name} (copy)"]


def test_two_runs_of_one_name_are_refused_and_named(tmp_path: Path) -> None:
    """A run that was moved aside within its folder would be taken for the one that was trained in its place."""
    old = write(tmp_path, replace(SPEC, learning_rate=0.1)).path.rename(tmp_path / "old")
    made = write(tmp_path, SPEC)
    with pytest.raises(ValueError, match=rf"{made.path} and {old} are both .* differ \(learning_rate\); move one"):
        runs.find(tmp_path)


def test_what_a_publication_lacks_is_said(tmp_path: Path) -> None:
    run = write(tmp_path, SPEC)
    (run.path / "published.json").write_text(json.dumps({"final": {}}))
    write_tensors(run.path / "map.safetensors", {"labels": torch.zeros(1)}, {})
    small = runs.load(run.path)
    for lacking, read in (
        ("published.json.*weights", lambda: small.weights_checksum),
        ("published.json.*trace_epochs", lambda: small.trace_epochs),
        ("map.safetensors.*final_means", lambda: small.class_means("final")),
    ):
        with pytest.raises(ValueError, match=lacking):
            read()
    with pytest.raises(FileNotFoundError, match="classifier trace .*classifier.safetensors is not there; put it back"):
        small.trace()
