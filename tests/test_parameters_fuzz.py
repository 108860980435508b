"""Any value in any field, from three ways in: it is taken, or refused in our own words; no other error comes out."""

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdnb import __main__ as command_line
from kdnb.analysis.selection import (
    ChapterParameters,
    ClaimsParameters,
    MapParameters,
    PaperParameters,
    StudiesParameters,
)
from kdnb.parameters import StudentParameters, TeacherParameters, read

KINDS = [TeacherParameters, StudentParameters, ChapterParameters, MapParameters, PaperParameters]
KINDS += [StudiesParameters, ClaimsParameters]
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
PLAIN |= st.sampled_from(
    ["5e-4", "no", "[1, 4]", "None", "1e309", "-0", "kd:alpha=", "simkd:factor=4,factor=5", "\x00"]
)
ANYTHING = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2)
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_value_is_taken_or_refused_by_name(kind: type, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([field.name for field in fields(kind)]))
    value = data.draw(ANYTHING)
    refusals = []
    for way_in in (lambda: kind(**{name: value}), lambda: read({name: value}, kind)):
        try:
            way_in()
        except ValueError as refusal:
            refusals.append(str(refusal))
    assert len(refusals) in (0, 2) and len(set(refusals)) <= 1
    assert all(len(text) < 1000 for text in refusals)


@pytest.mark.parametrize("command", ["teacher", "students", "publish", "compare", "book"])
@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_command_takes_a_word_or_ends_with_2(command: str, data: st.DataObject) -> None:
    options = {"teacher": TeacherParameters, "students": StudentParameters}
    kinds = options | {"publish": command_line.Publish, "compare": command_line.Compare, "book": command_line.Book}
    name = data.draw(st.sampled_from([field.name for field in fields(kinds[command])]))
    words = data.draw(st.lists(st.text(max_size=8), max_size=2))
    try:
        command_line.parse([command, f"--{name.replace('_', '-')}", *words])
    except SystemExit as stop:
        assert stop.code == 2 or any(word in ("-h", "--help") for word in words)
    except ValueError as refusal:
        assert str(refusal)
