"""Writes docs/reference, docs/schema, docs/man and the benchmarks' pages from the program and what was measured.

`python -m scripts.write_reference`

With --check it writes nothing and names what is stale.
"""

import json
import sys
from pathlib import Path

from dsdeploy.core.values import Plan, Profile, Request
from scripts.reference import benchmarks, catalogues, chart, commands, errors, metrics, sayings, schema, values

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {
    "commands": commands.page,
    "errors": errors.page,
    "plan": values.page,
    "checks": sayings.checks_page,
    "values": chart.page,
    "metrics": metrics.page,
    "messages": sayings.messages_page,
    "models": catalogues.models_page,
    "accelerators": catalogues.accelerators_page,
    "presets": catalogues.presets_page,
}


def files() -> dict[str, str]:
    """Path below docs/ → text."""
    made = {f"reference/{name}.md": page("en") for name, page in PAGES.items()}
    made |= {f"reference/{name}.zh.md": page("zh") for name, page in PAGES.items()}
    for kind in (Plan, Request, Profile):
        made[f"schema/{kind.__name__.lower()}.json"] = json.dumps(schema.schema(kind), indent=1) + "\n"
    made["man/dsdeploy.1"] = commands.man(errors.EXIT_CODES["en"])
    made["adr/index.md"] = _decisions()
    for language, mark in (("en", ""), ("zh", ".zh")):
        made[f"benchmarks{mark}.md"] = benchmarks.page(language)
        made[f"figures/benchmarks{mark}.svg"] = benchmarks.picture(language)
        readme = f"../README{mark}.md"
        made[readme] = benchmarks.filled((DOCS / readme).read_text(encoding="utf-8"), language)
    return made


def _decisions() -> str:
    records = sorted((DOCS / "adr").glob("[0-9]*.md"))
    lines = [f"- [{one.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}]({one.name})" for one in records]
    return (
        "# Decision records\n\nWhat was decided, why, and what follows. 决策记录（英文）。\n\n"
        + "\n".join(lines)
        + "\n"
    )


def stale() -> list[str]:
    return [path for path, words in files().items() if not _same(DOCS / path, words)]


def _same(path: Path, words: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == words


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit("\n".join(stale()))
    for path, words in files().items():
        (DOCS / path).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / path).write_text(words, encoding="utf-8")
