"""kdnb: an executable study of why reusing the teacher's classifier works in knowledge distillation.

Rooms, from the ground up; each uses only what stands above it here (import-linter checks it, see pyproject.toml):

============  ======================================================================================================
the ground    checks, files, paths, registry, surroundings, device, progress, profiles, models, parameters: for all
data          what images are: digits, CIFAR, a folder; the finite set of views that augmentation shows
losses        one file a distillation loss: paper, equation, official weight, known deviations
methods       one file a way to learn; interventions on the classifier are methods, too
measure       what is measured of networks: distances of classifiers, the account of mu, the row of a history
runs          what is kept of a run, and every random choice, from seeds alone
train         the loop: study, lockstep groups, learners, teacher and its table, CUDA graphs, provenance
------------  ------------------------------------------------------------------------------------------------------
sweep         a whole study from above: what it asks for, will cost, and how far it is; from here on nothing trains
analysis      arithmetic on finished runs
claims        the paper's claims and this book's statements, judged: up to here no Plotly and no Jupyter
figures       how it is drawn and said, a file or a folder a chapter
book          the page: what a cell shows, widgets, executed notebooks, the build
============  ======================================================================================================
"""

__version__ = "0.1.0"
