"""What the site leaves out of its pages: their first line's link to the other language, for which it has a switch."""

import re
from typing import Any


def on_page_markdown(markdown: str, **_: Any) -> str:
    return re.sub(r"^\[(简体中文|English)\]\([\w./-]+\)(?: · )?", "", markdown, flags=re.MULTILINE)
