"""Every accelerated path on CUDA against its plain twin: the same seed, images and views, one switch turned."""

from collections.abc import Mapping
from functools import partial
from statistics import median
from typing import NamedTuple

import torch

from benchmarks.contender import Contender, Entry, measure
from benchmarks.loops import Ours, Place, Setting
from benchmarks.report import head, row, spread
from kdnb import device as devices

STEPS, GROUP_STEPS, ROUNDS, WARM_UP = 100, 20, 5, 20
FEW = 256  # images of a real teacher table that is computed on the spot


class Switch(NamedTuple):
    """``turned`` differs from ``plain`` in one field."""

    name: str
    plain: Setting
    turned: Setting


def switches(precision: str, precisions: list[str]) -> list[Switch]:
    """All there are on CUDA; ``precision``: the device's natural one."""
    exact, natural = Setting("fp32"), Setting(precision)
    group = natural._replace(what="sweep")
    live = natural._replace(teacher_outputs="live", images=FEW)
    return [
        Switch("CUDA graphs", exact._replace(cuda_graph=False), exact),
        Switch(f"CUDA graphs, {precision}", natural._replace(cuda_graph=False), natural),
        *(Switch(f"precision {other}", exact, exact._replace(precision=other)) for other in precisions),
        Switch("teacher table", live, live._replace(teacher_outputs="table")),
        *(Switch(f"{count} streams", group, group._replace(streams=count)) for count in (2, 4, 11)),
    ]


def precisions(device: torch.device) -> list[str]:
    """The faster ones that the device's hardware has."""
    return [name for name in devices.PRECISIONS if name != "fp32" and devices.has(device, name)]


def compare(place: Place, device: torch.device) -> None:
    """Measure each switch, print a row each, and name the fastest setting."""
    tried = switches(devices.natural_precision(device), precisions(device))
    settings = {setting for switch in tried for setting in (switch.plain, switch.turned)}
    entries = {
        str(setting): Entry(partial(Ours, place, setting), GROUP_STEPS if setting.what == "sweep" else STEPS)
        for setting in sorted(settings)
    }
    measured = measure(entries, ROUNDS, WARM_UP)
    print(head("switch", "images/s, plain", "turned", "turned / plain", "loss, plain", "turned", "difference"))
    for switch in tried:
        if {str(switch.plain), str(switch.turned)} <= measured.keys():
            print(_compared(switch, measured))
    best = max(measured, key=lambda name: median(block.rate for block in measured[name].blocks))
    print(f"\nBest setting: {best}", flush=True)


def _compared(switch: Switch, measured: Mapping[str, Contender]) -> str:
    plain, turned = measured[str(switch.plain)], measured[str(switch.turned)]
    rates = [[block.rate for block in one.blocks] for one in (plain, turned)]
    ratios = [after / before for before, after in zip(*rates, strict=True)]
    before, after = plain.first.loss, turned.first.loss
    losses = f"{before:.5f}", f"{after:.5f}", f"{100 * (after / before - 1):+.3f} %"
    return row(switch.name, *(f"{median(values):,.0f}" for values in rates), spread(ratios, "{:.2f}"), *losses)
