"""What the judge's words are worth, against what can be worked out on paper."""

import re

import pytest

from kdnb.claims import chance
from kdnb.figures import claim_words

NEAR = 0.035  # three standard deviations of a share of 2,000


@pytest.mark.parametrize("n", chance.SEEDS)
def test_an_r_of_no_sign_is_partly_positive_in_all_but_the_studies_whose_every_r_is_negative(n: int) -> None:
    shares = chance.nothing("C1")[n]
    assert shares.get("not found here", 0) == pytest.approx(0.5**n, abs=NEAR)
    assert shares.get("found here too", 0) == pytest.approx(0.05**n, abs=NEAR)
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("n", chance.SEEDS)
def test_of_ten_equal_temperatures_each_is_the_best_one_time_in_ten(n: int) -> None:
    assert chance.nothing("C11")[n].get("found here too", 0) == pytest.approx(0.1**n, abs=NEAR)


@pytest.mark.parametrize("n", chance.SEEDS)
def test_a_true_claim_is_found_where_all_its_parts_are_in_all_its_seeds(n: int) -> None:
    assert chance.something()[n]["found here too"] == pytest.approx(0.9 ** (2 * n), abs=NEAR)


def test_by_chance_partly_comes_more_easily_with_more_seeds_and_the_page_says_how_often() -> None:
    for claim in chance.NOTHING:
        partly = [shares["partly"] for shares in chance.nothing(claim).values()]
        assert partly == sorted(partly) and partly[-1] > partly[0] + 0.3
        rows = re.findall("partly</td>.*?</tr>", claim_words.worth(), re.DOTALL)
        assert [f"{100 * one:.0f}" for one in partly] in [re.findall(r"<td>(\d+)%</td>", row) for row in rows]


def test_the_statements_words_are_wrong_as_often_as_their_interval_allows() -> None:
    """A margin that is zero lies below it in one study of forty, and three of them in one of fourteen or so."""
    assert chance.at_zero(3, 1)["does not hold"] == pytest.approx(0.025, abs=0.015)
    assert chance.at_zero(3, 3)["does not hold"] == pytest.approx(1 - 0.975**3, abs=0.025)
    assert chance.equal(5)["holds"] > chance.equal(3)["holds"] + 0.3
    assert f"is found to be within it in {100 * chance.equal(3)['holds']:.0f} and" in claim_words.errors()
