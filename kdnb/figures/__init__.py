"""Plotly figures from finished runs: a file or a folder a chapter. They know nothing of training and train nothing."""
