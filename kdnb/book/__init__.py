"""The page: what a cell shows, widgets, the executed notebooks, the build."""
