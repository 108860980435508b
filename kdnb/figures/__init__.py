"""Plotly figures from finished runs: one file a chapter. They know nothing of training and train nothing."""
