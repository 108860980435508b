"""The first page's figures, also of runs that lack what they show."""

from dataclasses import replace
from pathlib import Path

import pytest
from drawable import drawable
from made_up import STUDENTS, kd, lasting, store

from kdnb.analysis import design, selection
from kdnb.analysis.over_seeds import estimate
from kdnb.analysis.study import Study
from kdnb.figures import front_page
from kdnb.figures.correlation import norms
from kdnb.figures.interventions import design as drawn_design
from kdnb.figures.interventions import gains
from kdnb.figures.statistics import crossed

RESULTS = Path(__file__).resolve().parents[2] / "results"


def test_curves_of_r_without_an_end_are_not_named(tmp_path: Path) -> None:
    """A trial of four epochs has no r: the first page ended in a TypeError."""
    trial = store(tmp_path, [lasting(spec, 4) for spec in STUDENTS])
    drawable(front_page.r(trial).figure)
    alone = store(tmp_path / "alone", [kd(1), kd(4)], without="bystander_mu")
    named = [one.text for one in front_page.r(alone).figure.layout.annotations]
    assert sum("‖W" in text for text in named) >= 1 and not any("bystander" in text for text in named)


def test_relabelled_mu_is_counted_over_studies_and_said_to_be_one_of_several_measures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study = selection.load(selection.ChapterParameters(output_dir=str(RESULTS / "digits")))
    for gap, count in ((0.2, 2), (0.0, 0)):
        found = {"mu_matched": estimate([gap - 0.01, gap, gap + 0.01]), "mu_rotated": estimate([-1.0, 0.0, 1.0])}
        monkeypatch.setattr(crossed, "read", lambda _, found=found: found)
        (text,) = front_page._nearer([study, replace(study, name="other")])
        assert f"in {count} of 2 studies" in text
        measures = "(nearer in 1 of 2 measures)"
        assert (f"by 0.2 on digits {measures} and by 0.2 on other {measures}" in text) == (count == 2)


@pytest.mark.parametrize(
    ("farther", "said"),
    [
        ({"a": True, "b": True}, "Yes: a student's raw μ falls farther "),
        ({"a": True, "b": False}, "Not everywhere: a student's raw μ falls farther "),
        ({"a": False, "b": False}, "Not seen: that a student's raw μ falls farther "),
        ({}, "Cannot be told: whether a student's raw μ falls farther "),
    ],
)
def test_the_title_is_answered_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, farther: dict[str, bool], said: str
) -> None:
    trial = store(tmp_path, STUDENTS[:1])

    def drift(study: Study) -> front_page._Drift | None:
        known = study.name in farther
        return front_page._Drift(trial.students[0], -0.1, 0.0, 3, farther[study.name]) if known else None

    monkeypatch.setattr(front_page, "_drift", drift)
    assert front_page.answer([replace(trial, name=name) for name in "ab"], []).startswith(
        f"- **Does a student drift towards its teacher's classifier?** {said}"
    )


def test_the_first_page_begins_with_no_claim_that_it_did_not_name(tmp_path: Path) -> None:
    """r at three temperatures, and what became of claim C4, are the chapter's."""
    study = store(tmp_path)
    told = front_page.r(study).answer.strip("*")
    chapter = norms.sentence(study)
    assert told.startswith(("What r shows", "Over seeds it is open", "In size r of μ"))
    assert chapter.endswith(f" seed). {told}**") and chapter.split(": r is ")[0].endswith(" here")


def test_whether_reuse_needs_the_teacher_is_answered_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies of one answer together; of copied features those alone whose maps were fitted."""
    study = selection.load(selection.ChapterParameters(output_dir=str(RESULTS / "digits")))
    same, behind = [0.0, 0.1, 0.0], [-2.0, -2.1, -2.0]
    gaps = {"a": (same, behind), "b": (behind, []), "c": (same, [])}
    monkeypatch.setattr(design, "gap", lambda study, row: estimate(gaps[study.name][row == "maps"]))
    monkeypatch.setattr(gains, "answer", lambda studies: f"Helps {[*studies]}")
    text = front_page.answer([], [replace(study, name=name) for name in gaps])
    (needs,) = (line for line in text.split("\n") if "own classifier?**" in line)
    assert needs.split("?** ")[1] == (
        "Where answers are distilled: not needed on a and c, needed on b; where features are copied "
        f"{drawn_design.BELONGS} behind on a."
    )
    assert f"\n- **{gains.QUESTION}** Helps {[*gaps]}.\n- **" in text
    one = front_page.needed(replace(study, name="b"))
    assert (
        one.startswith(f"**Where answers are distilled: needed, {estimate(behind).told('{:+z.2f}')}")
        and "; where" not in one
    )
