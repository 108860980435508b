"""Faults in a method's own file: found before anything is trained, or else its run's alone; named by file and line."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Train, same, tiny
from torch import Tensor, nn

from kdnb import losses, methods
from kdnb.methods.base import Method, Setting, Step
from kdnb.models import Network
from kdnb.runs import Run
from kdnb.train import study


@dataclass(frozen=True)
class Mine(Method):
    """Cross-entropy and, as ``mine``, what a test says."""

    name = "mine"
    label = "Mine"
    term_names = ("ce", "mine")
    needs = frozenset({"logits"})

    def terms(self, step: Step) -> dict[str, Tensor]:
        return {"ce": losses.cross_entropy(step.student.logits, step.labels), "mine": self.term(step)}

    def term(self, step: Step) -> Tensor:
        return step.student.logits.square().mean()


Use = Callable[..., None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Let there be a method ``mine`` with other members."""

    def register(**members: Any) -> None:
        monkeypatch.setitem(methods.METHODS, "mine", type("Own", (Mine,), members))

    return register


def misspelt(method: Mine, step: Step) -> Any:
    return step.taught.logit  # type: ignore[attr-defined]  # the line that the message names


def nothing(method: Mine, network: Network, setting: Setting) -> nn.Module:
    return None  # type: ignore[return-value]


LINE = misspelt.__code__.co_firstlineno + 1


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"term": misspelt},
            rf"\(tests/methods/test_faults.py:{LINE}\): AttributeError: 'Output' object has no attrib",
        ),
        ({"term": lambda method, step: step.student.logits.mean(1)}, "the term 'mine' is of shape"),
        ({"term": lambda method, step: {}["x"]}, r"test_faults.py:\d+\): KeyError: 'x'"),
        ({"needs": frozenset()}, "ValueError: this method learns from a teacher, and none was given"),
        ({"term": lambda method, step: step.taught.maps[1].mean()}, "IndexError: tuple index out of range"),
        ({"begin": nothing}, r"begin returned a NoneType; it returns a torch\.nn\.Module"),
        (
            {"terms": lambda method, step: {name: torch.tensor(1.0) for name in ("ce", "mine")}},
            "RuntimeError: element 0",
        ),
    ],
)
def test_a_fault_is_found_before_anything_is_trained(
    use: Use, tmp_path: Path, members: dict[str, Any], message: str
) -> None:
    use(**{"term": lambda method, step: step.taught.logits.mean()} | members)
    with pytest.raises(ValueError, match=f"^method 'mine'.*{message}"):
        study.train_students(tiny(tmp_path / "new", methods=["normal", "mine"], limit=65))  # the last batch: one image
    assert not (tmp_path / "new").exists()


def test_each_method_is_tried_with_what_it_will_have(use: Use, train: Train) -> None:
    """A table's features where it needs them; a finished run is not tried again."""
    asked = {"methods": ["mine"], "teacher_outputs": "table", "epochs": 1}
    use(needs=frozenset({"features"}), term=lambda method, step: (step.student.features - step.taught.features).mean())
    (run,) = train(**asked)
    use(needs=frozenset({"features"}), term=misspelt)
    assert train(**asked)[0].history.equals(run.history)


def test_a_fault_in_the_loop_is_its_runs_alone(use: Use, train: Train, tiny_runs: list[Run], tmp_path: Path) -> None:
    """The others finish with the numbers that they have without it."""

    def later(method: Mine, step: Step) -> Tensor:
        calls.append(step)
        return misspelt(method, step) if len(calls) > 3 else step.student.logits.mean()

    calls: list[Step] = []
    use(term=later)
    said = (
        rf"mine-wd0.0005-s0: method 'mine' \(tests/methods/test_faults.py:{LINE}\): AttributeError: .* in epoch 2\. The"
    )
    with pytest.raises(methods.Fault, match=said):
        train(methods=["normal", "mine", "kd"], temperatures=[4], batch_size=64)
    failed = Run(tmp_path / "mine-wd0.0005-s0")
    assert re.match(said, failed.failure or "") and not failed.finished
    whole = {run.path.name: run for run in tiny_runs}
    for name in ("normal-wd0.0005-s0", "kd-T4-a0.9-wd0.0005-s0"):
        same(Run(tmp_path / name), whole[name])
        assert Run(tmp_path / name).failure is None


def test_a_term_may_be_constant_in_some_batch(use: Use, train: Train) -> None:
    def sometimes(method: Mine, step: Step) -> Tensor:
        return step.student.logits.mean() if int(step.indices[0]) % 2 else torch.zeros(())

    use(term=sometimes)
    (run,) = train(methods=["mine"], batch_size=32)
    assert (run.history["account_residual"].abs() < 1e-5 * run.history["mu_raw"] ** 2).all()
    assert run.history["pull_mine"].any()
