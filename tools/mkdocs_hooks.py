"""Hooks of the documentation site (mkdocs.yml)."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]


def on_page_markdown(markdown, page, **_):
    """Replaces links to files of the repository outside docs by their text.

    Such links work for readers of the repository only. A link to a missing file stays, and causes a
    warning.
    """
    folder = (ROOT / "docs" / page.file.src_uri).parent

    def words_alone(match):
        target = (folder / match[2]).resolve()
        outside = target.exists() and not target.is_relative_to(ROOT / "docs")
        return match[1] if outside else match[0]

    return re.sub(r"\[([^\]]*)\]\((\.\./[^)#]+)\)", words_alone, markdown)
