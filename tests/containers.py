"""Containerfile, as its instructions."""

from pathlib import Path

ROOT = Path(__file__).parents[1]


def instructions() -> list[tuple[str, str]]:
    """Name and words of each, its lines joined."""
    lines = (ROOT / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    given = [line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#")]
    return [(name, words) for name, words in given]
