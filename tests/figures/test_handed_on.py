"""What a frozen classifier alone hands on: by hand from published files, and every way the answer can turn out."""

import json
from pathlib import Path

import pandas as pd
import pytest
from designs import make, spec

from kdnb.analysis import crossed, handed_on, interventions, selection
from kdnb.analysis.over_seeds import Estimate, estimate
from kdnb.figures.interventions import handed_on as drawn

RESULTS = Path(__file__).parents[2] / "results"
STUDIES = {"digits-few": 5, "cifar100-small": 3}  # how many seeds
W_T, W_O = ("frozen at W_t, labels alone", "frozen at W_o, labels alone")
NAMES = {W_T: "frozen-T4-a0-wd0.0005-s{}", W_O: "foreign-T4-a0-wd0.0005-s{}"}


def features(study: str, label: str) -> pd.Series:
    """Own less other, behind a linear map, by seed, from the file that the comparison wrote."""
    file = pd.read_parquet(RESULTS / study / "comparisons" / "stitching.parquet")
    names = [NAMES[label].format(seed) for seed in range(STUDIES[study])]
    linear = file[file["name"].isin(names)].pivot_table(index="seed", columns="relation", values="linear")
    return 100 * (linear["own"] - linear["alike"])


def answers(study: str, label: str) -> pd.Series:
    """Agreement with the teacher less that with the bystander, from the histories."""
    folders = [RESULTS / study / NAMES[label].format(seed) for seed in range(STUDIES[study])]
    assert {json.loads((one / "spec.json").read_text())["method_parameters"]["alpha"] for one in folders} == {0}
    last = pd.DataFrame([pd.read_parquet(one / "history.parquet").iloc[-1] for one in folders])
    return 100 * (last["agreement"] - last["bystander_agreement"]).reset_index(drop=True)


def test_the_lead_with_w_t_less_that_with_w_o_is_that_of_the_files() -> None:
    found = selection.StudiesParameters(profiles=tuple(STUDIES)).studies(methods=interventions.METHODS)
    made = drawn.of_its_owner(found)
    dots, means = made.figure.data
    height = iter(range(4))
    for measure, read in (("features", features), ("answers", answers)):
        for study, seeds in STUDIES.items():
            leads = handed_on.leads(found[study], measure)
            assert [*leads[W_T].values()] == pytest.approx(read(study, W_T).tolist()) and len(leads[W_O]) == seeds
            by_hand = read(study, W_T) - read(study, W_O)
            one = handed_on.by_classifier(leads)
            assert sorted(one.values) == pytest.approx(sorted(by_hand))
            place = next(height)
            assert means.x[place] == pytest.approx(by_hand.mean(), rel=1e-3)
            assert list(dots.y).count(place) == seeds
            if one.side:
                assert f"yes on {study}, {one.told(drawn.POINTS)}" in made.answer
    assert made.answer.startswith("**In features yes on cifar100-small, ") and "not seen on digits-few; " in made.answer
    assert f"<td>{estimate(answers('cifar100-small', W_O)).told(drawn.POINTS)}</td>" in made.table


FAR, NEAR, BACK = [2, 2.1, 1.9], [2, -2, 0.5], [-2, -2.1, -1.9]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"a": FAR, "b": NEAR}, "yes on a, +2.00 (+1.75 to +2.25, n\u00a0=\u00a03), not seen on b"),
        ({"a": BACK, "b": FAR[:2]}, "no on a, −2.00 (−2.25 to −1.75, n\u00a0=\u00a03), from too few seeds on b"),
        ({"a": NEAR, "b": NEAR}, "not seen on a and b"),
    ],
)
def test_it_is_said_study_by_study_and_of_three_seeds_alone(found: dict[str, list[float]], said: str) -> None:
    there: dict[str, Estimate] = {name: estimate(values) for name, values in found.items()}
    assert drawn._said(there) == said
    every = drawn.sentence({"features": there, "answers": {}})
    assert (
        every.startswith(f"**In features {said} (points; the interval leaves out zero for ") and "answers" not in every
    )


def test_a_teacher_that_is_easier_to_be_like_cancels_out() -> None:
    leads = {W_T: {0: 5.0, 1: 6.0, 2: 7.0}, W_O: {1: 6.0, 0: 5.0, 3: 9.0}}
    assert sorted(handed_on.by_classifier(leads).values) == [0, 0]
    assert handed_on.by_classifier({W_T: leads[W_T]}).values == []


def test_over_crossed_teachers_a_trait_of_one_cancels_and_what_each_hands_on_is_left(tmp_path: Path) -> None:
    study, student = make(tmp_path), spec("frozen", alpha=0)
    gain, trait = [0.01, 0.02, 0.03], [0.0, 0.2, -0.1]
    rows = [
        {
            **{"teacher": t, "bystander": b, "name": student.name, "label": student.label, "seed": seed},
            **{"measure": "agreement", "own": 0.5 + gain[t] + trait[t], "other": 0.5 + trait[b]},
        }
        for t in range(3)
        for b in range(3)
        for seed in range(2)
        if t != b
    ]
    place = study.folder / crossed.FILE
    place.parent.mkdir(exist_ok=True)
    assert handed_on.over_pairs(study)[0].values == [] and drawn.pairs_sentence({"x": study}) == ""
    pd.DataFrame(rows).to_parquet(place)
    one, pairs = handed_on.over_pairs(study)
    assert one.values == pytest.approx([2, 4, 6]) and len(pairs) == 6
    said = f"not seen on x, {one.told(drawn.POINTS)} (3 teachers in 6 ordered pairs, 2 seeds each).**"
    assert one.side == 0 and drawn.pairs_sentence({"x": study}).endswith(said)
    assert drawn.brief({"x": study}).endswith(": not seen on x (3 teachers)")


def test_without_the_pair_nothing_is_told() -> None:
    found = selection.StudiesParameters(profiles=("digits-few",)).studies(methods=("normal", "kd"))
    made = drawn.of_its_owner(found)
    assert made.figure is None and "cannot be told" in made.answer and drawn.brief(found) == ""
