"""Hooks of the documentation site (mkdocs.yml)."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]


def on_page_markdown(markdown, page, **_):
    """Leaves the words of links to files of the repository that are not in docs.

    Where the pages are read beside the sources they lead there. A file that is not there stays a
    link, and a warning.
    """
    folder = (ROOT / "docs" / page.file.src_uri).parent

    def words_alone(match):
        target = (folder / match[2]).resolve()
        outside = target.exists() and not target.is_relative_to(ROOT / "docs")
        return match[1] if outside else match[0]

    return re.sub(r"\[([^\]]*)\]\((\.\./[^)#]+)\)", words_alone, markdown)
