"""A Sphinx extension: no Binder button on a chapter that trains, since Binder's small machine forgets what it made."""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def without_binder(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Take Binder from the rocket's menu, which the theme has filled by now, of a notebook that imports kdnb.train."""
    source = Path(app.env.doc2path(page))
    if source.suffix != ".ipynb" or "from kdnb.train import" not in source.read_text(encoding="utf-8"):
        return
    for group in context["header_buttons"]:
        if group.get("label") == "launch-buttons":
            group["buttons"] = [button for button in group["buttons"] if button["text"] != "Binder"]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx; 900: after the theme, whose own handlers have 500."""
    app.connect("html-page-context", without_binder, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
