"""The first page's figures, also of runs that lack what they show."""

from pathlib import Path

from drawable import drawable
from made_up import STUDENTS, kd, lasting, store

from kdnb.figures import front_page


def test_curves_of_r_without_an_end_are_not_named(tmp_path: Path) -> None:
    """A trial of four epochs has no r: the first page ended in a TypeError."""
    trial = store(tmp_path, [lasting(spec, 4) for spec in STUDENTS])
    drawable(front_page.r(trial).figure)
    alone = store(tmp_path / "alone", [kd(1), kd(4)], without="bystander_mu")
    named = [one.text for one in front_page.r(alone).figure.layout.annotations]
    assert sum("‖W" in text for text in named) >= 1 and not any("bystander" in text for text in named)
