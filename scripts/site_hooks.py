"""What the site changes in its pages: it has a switch of language of its own, and files beside docs/ are not in it."""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.plugins import event_priority

_OTHER_LANGUAGE = re.compile(r"^\[(?:简体中文|中文|English)\]\([\w./-]+\)(?: · )?", re.MULTILINE)
_RELATIVE = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)#]+)[^)]*\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    folder = posixpath.dirname(page.file.src_uri)

    def inside(link: re.Match[str]) -> str:
        outside = posixpath.normpath(posixpath.join(folder, link[2])).startswith("..")
        return link[1] if outside else link[0]

    return _RELATIVE.sub(inside, _OTHER_LANGUAGE.sub("", markdown))


@event_priority(-200)
def on_post_build(config: Any, **_: Any) -> None:
    """For pages opened as files, the index as a script: the plugin that writes it runs before both languages are in."""
    folder = Path(config.site_dir) / "search"
    index = (folder / "search_index.json").read_text(encoding="utf-8")
    (folder / "search_index.js").write_text(f"var __index = {index}", encoding="utf-8")
