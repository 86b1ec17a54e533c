"""The documentation: builds without a warning or a dead link, in both languages, and agrees with the program."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from scripts import write_reference
from scripts.reference import benchmarks, chart
from scripts.reference.errors import EXIT_CODES, kinds, said
from tests.program import run

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_site_builds_strictly_and_asks_nobody_for_anything(tmp_path):
    r = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert r.returncode == 0, r.stdout + r.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        words = page.read_text(encoding="utf-8")
        assert 'src="http' not in words and 'src="//' not in words, page
        assert 'rel="stylesheet" href="http' not in words and 'rel="preconnect"' not in words, page
    for style in tmp_path.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//|@import", style.read_text(encoding="utf-8")), style
    # What a page opened as a file searches.
    script = (tmp_path / "search/search_index.js").read_text(encoding="utf-8")
    found = json.loads(script.removeprefix("var __index = "))["docs"]
    latent = [one["location"].partition("#")[0] for one in found if "latent" in one["text"]]
    assert "glossary.html" in latent and "zh/glossary.html" in [one["location"] for one in found]


def test_every_page_is_in_both_languages():
    """Decision records are in English only."""
    pages = [one.relative_to(DOCS) for one in DOCS.rglob("*.md") if one.parent.name != "adr"]
    chinese = {str(one).replace(".zh.md", ".md") for one in pages if one.name.endswith(".zh.md")}
    assert chinese == {str(one) for one in pages if not one.name.endswith(".zh.md")}


@pytest.mark.parametrize(
    "page", [*sorted(str(one.relative_to(DOCS)) for one in DOCS.rglob("*.zh.md")), "../README.zh.md"]
)
def test_both_languages_of_a_page_have_the_same_parts(page):
    """Headings by level, rows of tables, and blocks of code word for word but for their comments."""
    told = [_parts((DOCS / name).read_text(encoding="utf-8")) for name in (page, page.replace(".zh.md", ".md"))]
    assert told[0] == told[1]


def _parts(words: str) -> dict[str, object]:
    blocks = re.findall(r"^```(\w*)[^\n]*\n(.*?)^```$", words, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```$", "", words, flags=re.MULTILINE | re.DOTALL)
    return {
        "headings": [len(one) for one in re.findall(r"^(#+) ", rest, re.MULTILINE)],
        "rows": [len(re.split(r"(?<!\\)\|", line)) for line in rest.splitlines() if line.startswith("|")],
        "points": len(re.findall(r"^(?:[*-]|\d+\.) ", rest, re.MULTILINE)),
        "commands": [
            line.partition("  #")[0].rstrip() for line in rest.splitlines() if line.startswith("    dsdeploy ")
        ],
        "blocks": [(kind, _said(kind, block)) for kind, block in blocks],
    }


def _said(kind: str, block: str) -> list[str]:
    """What is typed; what is answered differs with the language."""
    block = re.sub(r'"content": "[^"]*"', "", block.replace(" --lang zh", ""))
    lines = [line.partition("  #")[0].rstrip() for line in block.splitlines()]
    return [line for line in lines if line.startswith("$ ")] if kind == "console" else lines


def test_the_reference_is_what_the_program_says():
    assert write_reference.stale() == [], "run `python -m scripts.write_reference`"


@pytest.mark.parametrize("page", [benchmarks, chart], ids=lambda page: page.__name__.rpartition(".")[2])
def test_nothing_of_a_generated_page_is_left_in_english(page):
    assert page.untranslated() == []


def test_every_value_of_the_chart_is_in_the_reference():
    words = (DOCS / "reference/values.md").read_text(encoding="utf-8")
    given = yaml.safe_load((ROOT / "helm/dsdeploy/values.yaml").read_text(encoding="utf-8"))
    assert [name for name in given if f"## {name}\n" not in words] == []


def test_each_exit_code_and_each_error_is_explained():
    codes = {one.exit_code for one in kinds().values()}
    assert codes <= set(EXIT_CODES["en"]) == set(EXIT_CODES["zh"])
    words = (DOCS / "reference/errors.md").read_text(encoding="utf-8")
    assert [name for name in kinds() if f"### {name}\n" not in words] == []
    assert len([name for name, pairs in said().items() if pairs]) > 60


@pytest.fixture(scope="module")
def plan_schema():
    schema = json.loads((DOCS / "schema/plan.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_real_plans_keep_to_the_published_schema(plan_schema, tmp_path):
    for words in (("--model", "smoke"), ("--accelerator", "NVIDIA H20-3e", "--count", "8", "--users", "20")):
        path = tmp_path / "plan.yaml"
        assert run("plan", *words, "--out", str(path)).returncode == 0
        plan = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert list(plan_schema.iter_errors(plan)) == []
        for broken in (plan | {"modle_id": "x"}, plan | {"weights_bytes": -1}, plan | {"kind": "Profile"}):
            assert list(plan_schema.iter_errors(broken))


def test_a_recorded_profile_keeps_to_the_published_schema(tmp_path):
    schema = json.loads((DOCS / "schema/profile.json").read_text(encoding="utf-8"))
    path = tmp_path / "profile.json"
    assert run("profile", "--save", str(path)).returncode == 0
    jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), schema)


def test_every_command_of_the_program_has_its_place_and_its_help_in_the_reference():
    words = (DOCS / "reference/commands.md").read_text(encoding="utf-8")
    listed = run("--help").stdout.partition("Commands:")[2]
    names = [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2:3].strip()]
    assert len(names) > 10
    assert [name for name in names if f"## {name}" not in words] == []


@pytest.mark.parametrize("name", ["README.md", "README.zh.md", "SECURITY.md", "CONTRIBUTING.md"])
def test_no_link_of_the_front_pages_is_dead(name):
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / name).read_text(encoding="utf-8"))
    places = [one.partition("#") for one in links if not one.startswith("http")]
    assert [one for one in places if not (ROOT / one[0]).exists()] == []
    assert [one for one in places if one[2] and one[2] not in _anchors(ROOT / one[0])] == []


def _anchors(page: Path) -> list[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings]
