"""The browser scripts that the book needs and no Python wheel holds: fetch them into vendor/.

    python tools/vendor.py    # through npm: pinned versions, checked against the sums below

Plotly's and anywidget's scripts come from the installed wheels at build time: they always match the Python side.
"""

import hashlib
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "vendor"
SUMS = VENDOR / "SHA256SUMS"


@dataclass(frozen=True)
class Package:
    """One npm release: its name and version, the sum of its archive, and which members go where in vendor/."""

    spec: str
    sha256: str
    members: dict[str, str]


PACKAGES = (
    Package(
        "requirejs@2.3.7",
        "31f3330c978fb28684622fe71165dc946432cf0210b2ea8a1ca0233e70f2737d",
        {"require.js": "require.js"},
    ),
    Package(
        "@jupyter-widgets/html-manager@1.0.15",
        "2b9d65cb7913e1c7d671757a10008b32c9c2448d4429513371e55c07d6107638",
        # The fonts are Font Awesome's: the icons of widgets such as Play.
        {"dist/embed-amd.js": "embed-amd.js"}
        | {
            f"dist/{font}.woff2": f"fonts/{font}.woff2"
            for font in ("1551f4f60c37af51121f", "7a3337626410ca2f4071", "d878b0a6a1144760244f")
        },
    ),
    Package(
        "mathjax@3.2.2",
        "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09",
        {"es5/tex-svg-full.js": "tex-svg-full.js", "LICENSE": "licences/mathjax.txt"},
    ),
    Package(
        "@popperjs/core@2.11.8",
        "8e09bdfa912035668e62cea61321bce27cbd011b85672055db25d271bd63af49",
        {"dist/umd/popper.min.js": "popper.js", "LICENSE.md": "licences/popper.txt"},
    ),
    Package(
        "tippy.js@6.3.7",
        "bf63cd2e158be2100078053f4c44f02ffec8fde7f30544270785d0f2eae02626",
        {"dist/tippy-bundle.umd.min.js": "tippy.js", "LICENSE": "licences/tippy.txt"},
    ),
)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fetch(package: Package, folder: Path) -> None:
    """Download ``package`` with npm and write its members into vendor/.

    Raises: ValueError when the archive is not the pinned one.
    """
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), package.spec]
    name = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]
    archive = folder / name
    if (found := _sha256(archive.read_bytes())) != package.sha256:
        raise ValueError(f"{package.spec} has sha256 {found}, not the pinned {package.sha256}; nothing was changed.")
    with tarfile.open(archive) as tar:
        for member, target in package.members.items():
            source = tar.extractfile(f"package/{member}")
            assert source is not None
            path = VENDOR / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read())


def sums() -> str:
    """Return SHA256SUMS's text for the files now in vendor/."""
    files = sorted(path for path in VENDOR.rglob("*") if path.is_file() and path != SUMS)
    return "".join(f"{_sha256(path.read_bytes())}  {path.relative_to(VENDOR).as_posix()}\n" for path in files)


def main() -> None:
    """Fetch everything, and write its sums."""
    with tempfile.TemporaryDirectory() as folder:
        for package in PACKAGES:
            fetch(package, Path(folder))
    SUMS.write_text(sums())


if __name__ == "__main__":
    main()
