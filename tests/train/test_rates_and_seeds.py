"""The learning rate that steps are taken with, and which seed draws what."""

import pytest

from kdnb.parameters import StudentParameters
from kdnb.runs import Run
from kdnb.train import study


def test_steps_shrink_with_the_learning_rate_from_the_epoch_after_a_drop_on(tiny_runs: list[Run]) -> None:
    """Drops after epochs 2, 2 and 3: a step of epoch 3 is a hundredth, and spread is of its square."""
    for run in tiny_runs:
        assert run.spec.drops == (2, 2, 3)
        first, second, third = run.history["spread"]
        assert third < second / 1000 and second > first / 100


@pytest.mark.parametrize(
    ("given", "seeds"),
    [({}, (3, 3, 3)), ({"order_seed": 5}, (3, 5, 3)), ({"view_seed": 6}, (3, 3, 6)), ({"order_seed": 0}, (3, 0, 3))],
)
def test_the_seed_draws_all_that_has_no_seed_of_its_own(given: dict[str, int], seeds: tuple[int, ...]) -> None:
    found = study.settled(StudentParameters(seed=3, **given), "student")
    assert tuple(found[f"{what}_seed"] for what in ("init", "order", "view")) == seeds
