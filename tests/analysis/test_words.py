"""Numbers in words."""

import math

import pytest

from kdnb.analysis import words


@pytest.mark.parametrize(
    "value, form, text",
    [(-0.5, "{:.2f}", "−0.50"), (1234.0, "{:+,g} points", "+1,234 points"), (-0.001, "{:+.2f}", "+0.00")],
)
def test_a_number_has_a_true_minus_and_its_unit(value: float, form: str, text: str) -> None:
    assert words.number(value, form) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_undefined(value: float) -> None:
    assert words.number(value, "{:.2f}") == "undefined"


def test_an_interval_is_half_its_width_or_nothing() -> None:
    assert words.plus_minus(0.7, 0.9, "{:.1%}") == "\u00a0±\u00a010.0%"
    assert words.plus_minus(math.nan, math.nan, "{:.1%}") == ""


@pytest.mark.parametrize("count, text", [(0, "0 seeds"), (1, "1 seed"), (2, "2 seeds")])
def test_only_one_is_singular(count: int, text: str) -> None:
    assert words.counted(count, "seed") == text


def test_the_index_of_a_classifier_is_written_below() -> None:
    assert words.typeset("frozen at W_t, ‖W_s‖, RAW_tie") == "frozen at W<sub>t</sub>, ‖W<sub>s</sub>‖, RAW_tie"


def test_a_clause_becomes_a_sentence_whose_other_capitals_stay() -> None:
    assert words.sentence("under KD, W_t is frozen") == "**Under KD, W_t is frozen.**"
