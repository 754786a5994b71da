"""Checks the built site: python tools/check_site.py build/site.

Every public name has its entry in the reference, and no page loads anything from another host.
"""

import ast
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The command line's reference is its own --help.
UNDOCUMENTED = {"tf_softras.cli", "tf_softras"}


def public_names():
    """Yields (room, name) of each `__all__` of a package."""
    for path in sorted((ROOT / "tf_softras").rglob("__init__.py")):
        room = ".".join(path.parent.relative_to(ROOT).parts)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                for name in ast.literal_eval(node.value):
                    if room not in UNDOCUMENTED:
                        yield room, name


def _room(package):
    """Returns tf_softras.room of a package inside it."""
    return ".".join(package.split(".")[:2])


def main() -> None:
    """Prints what is missing, and fails if anything is."""
    site = pathlib.Path(sys.argv[1])
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    anchors = set(re.findall(r'id="(tf_softras[\w.]*)"', "".join(pages.values())))
    complaints = [
        f"no reference of {room}.{name}"
        for room, name in public_names()
        # A folder inside a room may have its reference where the room exports its names.
        if not any(a.startswith(_room(room)) and a.endswith(f".{name}") for a in anchors)
    ]
    loaded = re.compile(
        r'<(?:script|img|iframe)[^>]* src="(https?:[^"]*)'
        r'|<link[^>]*stylesheet[^>]*href="(https?:[^"]*)'
    )
    complaints += [
        f"{path.relative_to(site)} loads {match[1] or match[2]}"
        for path, text in pages.items()
        for match in loaded.finditer(text)
    ]
    print("\n".join(complaints) or f"{len(pages)} pages, {len(anchors)} entries of reference")
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
