"""Each statement's rule: numbers on which it holds, and each of its bounds crossed alone."""

import pytest

from kdnb.claims.book import STATEMENTS
from kdnb.claims.judge import Share

SIGNS = "sign as ‖W_s‖ says"
HOLDS = {
    "S1": {"KD T=4": 0.09, "normal": -0.09},
    "S2": {"μ to the teacher": 0.9, "μ to the bystander": 0.85},
    "S4": {"KD T=4": 0.02, "normal": 0.01},
    "S5": {"KD T=4, as they are": 0.1, "KD T=4, matched": 0.91, "normal, as they are": 0.1, "normal, matched": 0.91},
    "S6": {"frozen at W_t": 0.4, "frozen at permuted W_t": -0.4},
    "S7": {"pulled to W_t": 1.0, "pushed from W_t": 1.4},
    "S8": {"frozen at W_t": 0.0, "frozen at rotated W_t": -0.6, "frozen at class-shuffled W_t": -0.6},
    "S9": {"T = 1": 0.4, "T = 4": 0.3, "T = 10": 0.3, "T = 50": 0.19},
    "S10": {"KD T=1": 0.01, "KD T=4": 0.01, "KD T=10": 0.01},
    "S11": {"KD T=4": 0.1, "normal": 0.05},
    "S12": {"its teacher": 0.9, "another seed's teacher": 0.896},
    "S13": {"gap": 0.09, SIGNS: Share(19, 20)},
}
BREAKS = [
    *(("S1", name, sign * 0.11) for name in ("KD T=4", "normal") for sign in (1, -1)),
    *(("S2", "μ to the bystander", value) for value in (0.79, 1.01)),
    *(("S4", "KD T=4", -0.01), ("S4", "normal", 0.03)),
    *(("S5", f"{who}, matched", 0.89) for who in ("KD T=4", "normal")),
    *(("S6", f"frozen at {what}W_t", sign * 0.6) for what in ("", "permuted ") for sign in (1, -1)),
    *(("S7", "pushed from W_t", value) for value in (0.4, 1.6)),
    *(("S8", f"frozen at {what} W_t", -0.4) for what in ("rotated", "class-shuffled")),
    *(("S9", "T = 50", 0.21), ("S9", "T = 1", 0.37)),
    *(("S10", f"KD T={t}", -0.01) for t in (1, 4, 10)),
    *(("S11", "KD T=4", -0.01), ("S11", "normal", 0.11)),
    *(("S12", "another seed's teacher", value) for value in (0.894, 0.906)),
    *(("S13", "gap", 0.11), ("S13", SIGNS, Share(17, 20))),
]


@pytest.mark.parametrize(("name", "number", "value"), BREAKS)
def test_a_bound_that_is_crossed_alone_breaks_the_rule(name: str, number: str, value: float) -> None:
    (one,) = (claim for claim in STATEMENTS if claim.id == name)
    assert number in HOLDS[name]
    assert min(one.parts(HOLDS[name]).values()) > 0 > min(one.parts(HOLDS[name] | {number: value}).values())


def test_every_statement_s_bounds_are_crossed() -> None:
    """S3, a sum of pulls, has a test of its own."""
    assert {claim.id for claim in STATEMENTS} - {"S3"} == set(HOLDS) == {name for name, *_ in BREAKS}
