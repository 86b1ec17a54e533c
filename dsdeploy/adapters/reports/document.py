"""The same document that `--json` prints, indented so that two of them can be compared line by line."""

import json

from dsdeploy.core.results import Result, success_document
from dsdeploy.core.values import Checked


def render_json(result: Result[Checked], language: str) -> str:
    return json.dumps(success_document(result, language), ensure_ascii=False, indent=1) + "\n"
