"""How precisely: what 'auto' means, that it never changes in mid-run, and fp16 with its loss scaling."""

import ctypes
from pathlib import Path

import pytest
import torch
from conftest import Train, stopped_after, tiny, with_teachers
from torch import nn

from benchmarks import switches
from kdnb import device as devices
from kdnb.measure.account import Account
from kdnb.runs import Run
from kdnb.train import loss_scale, study
from kdnb.train.loss_scale import LossScale

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("generation", "expected"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16"), ((6, 1), "fp32")]
)
def test_auto_follows_the_gpu(generation: tuple[int, int], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: generation)
    assert devices.natural_precision(torch.device("cuda")) == expected


def test_auto_follows_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for has, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(devices, "_cpu_has_bf16", lambda has=has: has)
        assert devices.natural_precision(CPU) == expected


def test_a_run_goes_on_in_the_precision_it_began_with(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """'auto' on another machine does not change a run; another precision asked for by name is refused."""
    monkeypatch.setattr(devices, "natural_precision", lambda device: "bf16")
    (run,) = train(methods=["normal"], precision="auto")
    assert run.spec.precision == "bf16"
    monkeypatch.setattr(devices, "natural_precision", lambda device: "fp32")
    (again,) = train(methods=["normal"], precision="auto")
    assert again.spec.precision == "bf16"
    with pytest.raises(ValueError, match=r"precision: there 'bf16', asked 'fp32'"):
        train(methods=["normal"], precision="fp32")


def test_a_study_partly_begun_goes_on_on_another_machine(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """New runs join those that have begun, in their precision; finished ones of two precisions hinder nobody."""
    on = {machine: (lambda device, machine=machine: machine) for machine in ("bf16", "fp32")}
    monkeypatch.setattr(devices, "natural_precision", on["bf16"])
    train(methods=["normal"], precision="auto")
    monkeypatch.setattr(devices, "natural_precision", on["fp32"])
    runs = train(methods=["normal", "kd"], temperatures=[4], precision="auto")
    assert [run.spec.precision for run in runs] == ["bf16", "bf16"]
    train(methods=["dist"], precision="auto")
    runs = train(methods=["normal", "dist", "mse"], precision="auto")
    assert [run.spec.precision for run in runs] == ["bf16", "fp32", "bf16"] and all(run.tidy for run in runs)


def test_what_is_begun_in_two_precisions_goes_on_in_two_calls(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    for precision, method in (("bf16", "normal"), ("fp32", "dist")):
        monkeypatch.setattr(devices, "natural_precision", lambda device, precision=precision: precision)
        with stopped_after(1):
            train(methods=[method], precision="auto")
    said = (
        r"precision differs \(bf16 of normal-\S+, fp32 of dist-\S+\)\. Train them in separate calls, or all .*='bf16'"
    )
    with pytest.raises(ValueError, match=said):
        train(methods=["normal", "dist"], precision="auto")
    train(methods=["normal"], precision="auto")
    runs = train(methods=["normal", "mse", "dist"], precision="auto")
    assert [run.spec.precision for run in runs] == ["bf16", "fp32", "fp32"] and all(run.tidy for run in runs)


def test_an_unknown_precision_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown precision 'fp8'; known: .*auto"):
        tiny(tmp_path, precision="fp8")


@pytest.mark.parametrize(
    ("generation", "had"),
    [((9, 0), ["fp32", "tf32", "bf16", "fp16"]), ((7, 5), ["fp32", "fp16"]), ((6, 1), ["fp32", "fp16"])],
)
def test_a_gpu_refuses_what_its_hardware_lacks(
    generation: tuple[int, int], had: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch computes bf16 on a T4, very slowly, and fp32 where tf32 was asked for: both without a word."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: generation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    taken = []
    for precision in devices.PRECISIONS:
        try:
            devices.configure(torch.device("cuda"), precision)
            taken.append(precision)
        except ValueError as error:
            assert str(error) == (
                f"precision '{precision}' wants a GPU of compute capability 8.0 or more, and the device is Tesla T4; "
                "use 'fp16' or 'auto'."
            )
    assert taken == had
    assert set(switches.precisions(torch.device("cuda"))) == set(had) - {"fp32"}
    with pytest.raises(ValueError, match=r"'tf32' wants a GPU .* the device is cpu; use 'fp32' or 'auto'"):
        devices.configure(CPU, "tf32")


def test_a_failing_device_is_named_and_other_errors_are_left_alone() -> None:
    with (
        pytest.raises(devices.DeviceLost, match=r"cuda failed: CUDA error: unspecified.*same command goes on"),
        devices.failures_explained(torch.device("cuda")),
    ):
        raise RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later")
    with pytest.raises(RuntimeError, match="^shapes$"), devices.failures_explained(CPU):
        raise RuntimeError("shapes")


def test_the_scale_halves_on_overflow_and_doubles_after_many_good_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_scale, "GROW_AFTER", 3)
    scale = LossScale(CPU)
    seen = []
    for worst in (1.0, 1.0, float("inf"), 1.0, 1.0, 1.0, float("nan")):
        gradients = [torch.full((2,), 8.0), torch.tensor([worst])]
        before = float(scale.scale)
        overflow = float(scale.unscale(gradients))
        assert gradients[0].tolist() == [8.0 / before] * 2
        seen.append((overflow, float(scale.scale) / loss_scale.START))
    assert seen == [(0, 1), (0, 1), (1, 0.5), (0, 0.5), (0, 0.5), (0, 1), (1, 0.5)]


def test_the_account_skips_the_steps_that_are_left_out() -> None:
    """Momentum and pulls after a step that overflowed are what they were; then the account balances again."""
    torch.manual_seed(0)
    layer, rate = nn.Linear(4, 3), torch.tensor(0.1)
    optimizer = torch.optim.SGD(layer.parameters(), rate, 0.9, nesterov=True, weight_decay=1e-3, fused=True)
    account = Account(layer.weight, torch.randn(1, 3, 4), ["ce"], rate, momentum=0.9, nesterov=True, weight_decay=1e-3)
    for left_out in (False, True, False, True, False):
        x = torch.randn(5, 4)
        logits = layer(x)
        loss = nn.functional.cross_entropy(logits, torch.randint(3, (5,)))
        (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True)
        optimizer.zero_grad()
        loss.backward()
        overflow = torch.tensor(float(left_out))
        optimizer.found_inf = overflow  # type: ignore[attr-defined]
        before, booked = layer.weight.detach().clone(), account.buffers.clone()
        account.before_step([gradient.t() @ x], overflow)
        optimizer.step()
        account.after_step()
        assert torch.equal(before, layer.weight) == left_out
        assert torch.equal(booked, account.buffers) == left_out
    columns = account.columns([""])
    assert abs(columns["account_residual"]) < 1e-6


def test_fp16_trains_like_fp32_and_balances(train: Train, tmp_path: Path) -> None:
    """Same student in fp16 and fp32: losses within 5 %, the account balanced; resumed equals uninterrupted."""
    histories = {}
    for precision in ("fp32", "fp16"):
        folder = with_teachers(tmp_path / precision, tmp_path)
        (run,) = train(output_dir=str(folder), methods=["kd"], temperatures=[4], precision=precision)
        histories[precision] = run.history
    half, full = histories["fp16"], histories["fp32"]
    assert (half["loss"] / full["loss"] - 1).abs().max() < 0.05
    assert (half["account_residual"].abs() < 1e-5 * half["mu_raw"] ** 2).all()


def test_the_loss_scale_is_part_of_the_state(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An overflow in the first epoch, a stop after it: the second epoch goes on with the halved scale."""
    unscale = LossScale.unscale

    def overflowing(self: LossScale, gradients: list[torch.Tensor]) -> torch.Tensor:
        if self.scale == loss_scale.START:
            gradients[0].fill_(float("inf"))
        return unscale(self, gradients)

    monkeypatch.setattr(LossScale, "unscale", overflowing)
    with stopped_after(1):
        train(methods=["normal"], precision="fp16")
    checkpoint = Run(tmp_path / study.student_names(tiny(tmp_path, methods=["normal"]))[0]).read_checkpoint()
    assert checkpoint is not None and float(checkpoint.tensors["loss_scale.scale"]) == loss_scale.START / 2
    (run,) = train(methods=["normal"], precision="fp16")
    assert run.finished and (run.history["account_residual"].abs() < 1e-5 * run.history["mu_raw"] ** 2).all()


def test_a_cpu_keeps_freed_memory_where_the_c_library_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """glibc's two thresholds are set; a library without mallopt (macOS) is left alone."""
    told: list[tuple[int, int]] = []

    class Glibc:
        @staticmethod
        def mallopt(parameter: int, value: int) -> None:
            told.append((parameter, value))

    for library in (Glibc(), object()):
        monkeypatch.setattr(ctypes, "CDLL", lambda name, library=library: library)
        devices.configure(CPU, "fp32")
    assert told == [(devices.MMAP_THRESHOLD, 2**30), (devices.TRIM_THRESHOLD, 2**31 - 1)]
