#!/usr/bin/env bash
# Inside Colab's image: install kdnb as the notebooks' first cell does, then execute two of them briefly.
set -euo pipefail
versions() { python3 -c 'import numpy, torch; print(numpy.__version__, torch.__version__)'; }
before=$(versions)
extras=$(grep -ho 'kdnb@main\\" [a-z ]*' notebooks/01_teacher.ipynb | head -1 | cut -d' ' -f2-)
# shellcheck disable=SC2086 # a list of words
python3 -m pip install --quiet --no-deps . $extras
[ "$(versions)" = "$before" ] || { echo "numpy or torch changed: $before -> $(versions)"; exit 1; }
python3 -m papermill -k python3 --no-progress-bar notebooks/01_teacher.ipynb /tmp/01.ipynb -y "epochs: 4"
python3 -m papermill -k python3 --no-progress-bar notebooks/02_students.ipynb /tmp/02.ipynb \
  -y "epochs: 4" -y "temperatures: [1, 4]"
