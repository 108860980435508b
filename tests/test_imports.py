"""The training half runs where there is no Jupyter and no Plotly: on a bare GPU machine."""

import subprocess
import sys

ABSENT = ["IPython", "ipywidgets", "anywidget", "plotly", "papermill", "nbformat", "snakemake", "traitlets"]
HALF = ["study", "__main__", "train", "learner", "capture", "stats", "claims", "embed", "publish", "stale"]


def test_training_needs_neither_jupyter_nor_plotly() -> None:
    program = "import sys\n" + "\n".join(f"sys.modules[{name!r}] = None" for name in ABSENT)
    program += "\n" + "\n".join(f"import kdnb.{name}" for name in HALF)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_figures_do_need_plotly() -> None:
    """The block above blocks: without Plotly the reading half cannot be imported."""
    program = "import sys\nsys.modules['plotly'] = None\nimport kdnb.display"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode != 0
