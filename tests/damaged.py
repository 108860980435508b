"""What becomes of files on the way: cut short, bytes changed, lost or put in, or never what they claim to be."""

from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# The same examples on every machine, without a clock; a file is written anew for each.
FUZZ = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """``whole``, perhaps cut, with up to twenty places in which a byte is lost, changed, or becomes two."""
    place = st.integers(0, len(whole) - 1)
    edits = st.lists(st.tuples(place, st.binary(max_size=2)), max_size=20)
    return st.builds(_edited, st.just(whole), edits, st.none() | place)


def made_up(heads: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Random bytes behind one of ``heads``, the first bytes of known formats."""
    return st.builds(bytes.__add__, st.sampled_from(heads), st.binary(max_size=300))


def _edited(whole: bytes, edits: Sequence[tuple[int, bytes]], end: int | None) -> bytes:
    content = bytearray(whole[:end])
    for place, new in edits:
        content[place : place + 1] = new
    return bytes(content)
