"""Reported figures: each row names a method that exists and a work of the book's references, once a protocol."""

import re
from pathlib import Path

import pytest

from kdnb import methods
from kdnb.analysis import literature
from kdnb.train.provenance import training_sources

BIB = (Path(__file__).parents[2] / "book" / "references.bib").read_text()


def entry(key: str) -> str:
    """The text of a work in the book's references."""
    return BIB.split(f"{{{key},", 1)[1].split("\n}", 1)[0]


@pytest.mark.parametrize("row", literature.FIGURES, ids=lambda row: f"{row.method}-{row.source.key}")
def test_a_row_is_of_a_method_that_can_be_trained(row: literature.Reported) -> None:
    method = methods.create(row.method, row.parameters)
    assert row.parameters.items() <= methods.parameters_of(method).items()
    assert 70 < row.accuracy < literature.TEACHER


def test_a_protocol_has_one_number_a_method() -> None:
    named = [(row.method, tuple(row.parameters.items()), row.source) for row in literature.FIGURES]
    assert len(set(named)) == len(named)
    assert {row.source for row in literature.FIGURES} == set(literature.SOURCES)


@pytest.mark.parametrize("source", literature.SOURCES, ids=lambda source: source.key)
def test_a_source_is_in_the_references_under_its_authors_and_year(source: literature.Source) -> None:
    surname, year = source.cited.split(" et al. ")
    found = entry(source.key)
    assert re.search(rf"author\s*=\s*\{{{surname},", found) and re.search(rf"year\s*=\s*\{{{year}\}}", found)


def test_the_text_links_what_it_quotes_and_says_that_columns_are_not_comparable() -> None:
    text = literature.sources_text()
    assert all(source.url.startswith("https://github.com/") for source in literature.SOURCES)
    assert "not comparable" in text and all(source.url in text for source in literature.SOURCES)
    assert "76.31 ± 0.19" in [row.number for row in literature.FIGURES if row.source is literature.DIST]


def test_quoting_a_number_trains_nothing_anew() -> None:
    assert not any(Path(file).stem == "literature" for file in training_sources())
