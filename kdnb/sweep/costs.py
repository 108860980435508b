"""What work was measured to cost, by card: costs.csv, filled from the benchmark log by the benchmarks themselves.

It lies in the package, not beside benchmarks/log.md: ``kdnb plan FILE.yaml`` works from a wheel, which
carries neither benchmarks nor configurations.

========  =====================================================================================================
part      a row's seconds are those of one image of
========  =====================================================================================================
run       a whole run: steps, measuring, storing; ``outputs``: none (a teacher's own run), table or live
train     a training step, the teacher's outputs from a table, nothing measured
forward   a pass in evaluation mode
========  =====================================================================================================
"""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import resources
from statistics import median
from typing import NamedTuple

from kdnb.parameters import StudyParameters
from kdnb.sweep import work
from kdnb.sweep.work import FORWARD, TRAINING

FILE = "costs.csv"


@dataclass(frozen=True)
class Cost:
    """One measurement; ``group``: runs in lockstep; ``seconds``: of an image (and run); ``source``: where it stands."""

    card: str
    part: str
    dataset: str
    network: str
    precision: str
    outputs: str
    group: int
    seconds: float
    source: str

    @property
    def key(self) -> tuple[str, ...]:
        """What is the same in repeated measurements."""
        return self.part, self.dataset, self.network, self.precision, self.outputs


class Rate(NamedTuple):
    """Seconds an image, the median and the range of what was measured; ``estimate``: what it was scaled from."""

    middle: float
    low: float
    high: float
    estimate: str = ""

    def times(self, amount: float) -> "Rate":
        """For so many images, or scaled."""
        return self._replace(middle=self.middle * amount, low=self.low * amount, high=self.high * amount)


def read(text: str | None = None) -> list[Cost]:
    """The measurements of the package, or those in ``text``."""
    content = resources.files(__package__).joinpath(FILE).read_text() if text is None else text
    kinds = {field.name: field.type for field in fields(Cost)}
    return [
        Cost(**{name: kinds[name](value) for name, value in row.items()})  # type: ignore[operator]
        for row in csv.DictReader(io.StringIO(content))
    ]


def written(costs: Iterable[Cost]) -> str:
    """The inverse of :func:`read`, in a fixed order, each measurement once."""
    lines = io.StringIO()
    writer = csv.DictWriter(lines, [field.name for field in fields(Cost)], lineterminator="\n")
    writer.writeheader()
    rows = {tuple({**asdict(cost), "seconds": f"{cost.seconds:.4g}"}.items()) for cost in costs}
    for row in sorted(rows, key=str):
        writer.writerow(dict(row))
    return lines.getvalue()


def of_card(card: str, costs: Sequence[Cost]) -> list[Cost]:
    """The measurements of the one card whose name has ``card`` in it; ValueError, naming them, for none or several."""
    names = sorted({cost.card for cost in costs})
    fitting = [name for name in names if card.lower() in name.lower()]
    if len(fitting) != 1:
        what = f"several cards are called {card!r}" if fitting else f"nothing was measured on a card called {card!r}"
        known = "; ".join(fitting or names)
        raise ValueError(f"{what} ({known}), so its hours are not told. `make bench` on a card measures it for plans.")
    return [cost for cost in costs if cost.card in fitting]


def by_card(costs: Iterable[Cost]) -> dict[str, list[Cost]]:
    """The measurements of each card."""
    found: dict[str, list[Cost]] = {}
    for cost in costs:
        found.setdefault(cost.card, []).append(cost)
    return found


def rate(costs: Sequence[Cost], wanted: Cost, amount: int) -> Rate:
    """Seconds an image of the ``wanted`` part on the card of ``costs``, measured as such or scaled by arithmetic.

    ``amount``: multiply-adds of its network. Of repeated measurements those count whose lockstep group is the nearest.
    """
    if exact := [cost for cost in costs if cost.key == wanted.key]:
        return _spread(_nearest_group(exact, wanted.group))
    asked = _operations(wanted.part, amount)

    def far(cost: Cost) -> tuple[bool, bool, bool, float]:
        forward = (cost.part == "forward") != (wanted.part == "forward")
        apart = abs(math.log(asked / _operations(cost.part, _amount(cost))))
        return cost.dataset != wanted.dataset, cost.precision != wanted.precision, forward, apart

    nearest = min(costs, key=far)
    alike = _nearest_group([cost for cost in costs if cost.key == nearest.key], wanted.group)
    found = _spread(alike).times(asked / _operations(nearest.part, _amount(nearest)))
    return found._replace(estimate=f"{nearest.network} on {nearest.dataset} in {nearest.precision} ({nearest.part})")


@cache
def _counted(network: str, dataset: str) -> int:
    return work.multiply_adds(network, work.images(StudyParameters(dataset=dataset)))


def _amount(cost: Cost) -> int:
    return _counted(cost.network, cost.dataset)


def _operations(part: str, amount: int) -> int:
    return (FORWARD if part == "forward" else TRAINING) * amount


def natural_precision(costs: Sequence[Cost]) -> str:
    """What 'auto' means on the card of ``costs``: the precision in which it was measured to compute the most."""
    return min(costs, key=lambda cost: cost.seconds / _operations(cost.part, _amount(cost))).precision


def _nearest_group(costs: Sequence[Cost], group: int) -> list[Cost]:
    best = min(costs, key=lambda cost: abs(math.log(cost.group / group))).group
    return [cost for cost in costs if cost.group == best]


def _spread(costs: Sequence[Cost]) -> Rate:
    seconds = [cost.seconds for cost in costs]
    return Rate(median(seconds), min(seconds), max(seconds))
