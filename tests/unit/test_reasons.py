"""Why a file is refused, in the reader's language: every file that a user can give, spoilt in every usual way."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from dsdeploy.adapters.cluster.site import load_site
from dsdeploy.adapters.inventory import load_inventory
from dsdeploy.adapters.model_config import load_config
from dsdeploy.adapters.prices import read_prices
from dsdeploy.adapters.releases import load_release
from dsdeploy.adapters.reports import read_earlier
from dsdeploy.adapters.weight_headers import header_fault
from dsdeploy.core import errors
from dsdeploy.core.documents import from_document, to_document
from dsdeploy.core.fleet import Fleet, Machine
from dsdeploy.core.layout import Layout
from dsdeploy.core.machines import Profile
from dsdeploy.core.parsers import _PROBLEMS, problem_of
from dsdeploy.core.plan import Request
from dsdeploy.core.texts import Malformed, text
from dsdeploy.core.weight_files import indexed_files
from dsdeploy.stages.bundle.gather import describe_images
from dsdeploy.stages.bundle.opening import read_envelope, read_root
from dsdeploy.stages.plan.files import load_plan, load_request
from dsdeploy.stages.profile import load_fleet, load_profile, read_collected, refuse_old
from tests.plans import h20_plan
from tests.program import run
from tests.unit.test_life_views import RELEASE

PROFILE = Profile("a", "6", None, 8, 4, 1, 2**34, 2**34, (), (), ())


def _release(path: Path) -> object:
    folder = path.parent / "releases" / "default"
    folder.mkdir(parents=True)
    path.replace(folder / "release.json")
    return load_release(Layout(path.parent), None)


FILES: dict[str, tuple[Callable[[Path], object], Any, int]] = {
    "profile": (load_fleet, errors.ProfileUnreadable, 10),
    "one profile": (load_profile, errors.ProfileUnreadable, 10),
    "collected": (read_collected, errors.ProfileUnreadable, 10),
    "plan": (load_plan, errors.PlanUnreadable, 2),
    "request": (load_request, errors.RequestUnreadable, 2),
    "prices": (read_prices, errors.PricesUnreadable, 2),
    "inventory": (load_inventory, errors.InventoryUnreadable, 10),
    "site": (lambda path: load_site(path, h20_plan(), RELEASE), errors.RenderError, 14),
    "configuration": (load_config, (errors.ConfigUnreadable, errors.ConfigMalformed), 2),
    "report": (read_earlier, errors.ReportUnreadable, 2),
    "release": (_release, errors.ReleaseUnreadable, 15),
    "bundle's root": (lambda path: read_root(path.read_bytes()), errors.BundleUnsafe, 13),
    "signature": (lambda path: read_envelope(path.read_bytes()), errors.SignatureInvalid, 13),
    "image": (lambda path: describe_images((path,)), errors.PayloadMissing, 13),
}
SPOILT = {
    "empty": b"",
    "half": b'{"apiVersion": "dsdeploy/v1", "ki',
    "not UTF-8": b'{"a": "\xff"}',
    "a list": b"[1, 2]",
    "words": b"nothing that any parser would take",
    "a wrong version": b'{"apiVersion": "dsdeploy/v9"}',
    "a wrong key": b'{"apiVersion": "dsdeploy/v1", "kind": "Request", "contxt": 1}',
    "a wrong type": b'{"hosts": 3, "pue": "x", "users": "many", "accelerators": [1]}',
    "a tab": b"a:\n\t- 1\n",
    "too deep": b"[" * 100_000,
}


def foreign(message: str) -> list[str]:
    """Runs of three or more Latin words that stand outside of quotation marks."""
    bare = re.sub(r"“.*?”|`.*?`|\"[^\"]*\"|'[^']*'", "", message)
    return re.findall(r"[A-Za-z]{2,}(?:[ ,]+[A-Za-z]{2,}){2,}", bare)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("way", SPOILT)
def test_no_reason_stays_in_a_parsers_english(tmp_path, file, way):
    load, kind, exit_code = FILES[file]
    path = tmp_path / "x"
    path.write_bytes(SPOILT[way])
    with pytest.raises(kind) as caught:
        load(path)
    assert caught.value.exit_code == exit_code
    said = caught.value.message.render("zh").replace(str(tmp_path), "")
    assert foreign(said) == [] and "Error" not in said
    assert "\n" not in caught.value.message.render("en")
    if way == "empty" and file not in ("collected", "image"):  # those two say what they lack
        assert "文件是空的" in said and "the file is empty" in caught.value.message.render("en")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_empty_profile_is_said_to_be_empty_and_how_to_make_one(tmp_path, language):
    (tmp_path / "empty.json").touch()
    r = run("--lang", language, "plan", "--hardware", str(tmp_path / "empty.json"))
    said = {"en": "the file is empty", "zh": "文件是空的"}[language]
    assert r.returncode == 10 and said in r.stderr and "dsdeploy profile --save" in r.stderr


BROKEN = {
    "parser-no-value": '{"a": }',
    "parser-no-name": "{'a': 1}",
    "parser-trailing-comma": None,  # said by Python 3.13 and later
    "parser-control": '{"a": "\n"}',
    "parser-bom": "\ufeff{}",
    "parser-no-colon": '{"a" 1}',
    "parser-open-quote": 'a: "x',
    "parser-escape": 'a: "\\q"',
    "parser-more": "a: 1\n---\nb: 1",
    "parser-cut": "a: [1",
    "parser-no-comma": "a: [1\nb: 3",
    "parser-forbidden": "a: \x00",
    "parser-tab": "a:\n\tb: 1",
    "parser-character": "a: @x",
    "parser-stray-colon": "a: b: c",
    "parser-stray-dash": "a: - b",
    "parser-indentation": "a: 1\n- b",
    "parser-alias": "a: *x",
    "parser-tag": "a: !!python/object:x 1",
    "parser-key": "? {a: 1}\n: 2",
    "parser-other": "a: 2026-13-45",
}


def test_every_problem_has_its_file():
    assert set(BROKEN) == {*_PROBLEMS.values(), "parser-other"}


@pytest.mark.parametrize(("id", "content"), [one for one in BROKEN.items() if one[1] is not None])
def test_what_a_parser_says_is_known(id, content):
    read: Callable[[str], Any] = json.loads if content.startswith(("{", "\ufeff")) else yaml.safe_load
    with pytest.raises((ValueError, yaml.YAMLError)) as caught:
        read(content)
    assert problem_of(caught.value)[0] == id
    said = text("unreadable", path="x", reason=caught.value).render("zh")
    assert foreign(said) == [] and ("行" in said or id in ("parser-forbidden", "parser-other"))


def test_the_place_stands_first():
    with pytest.raises(Malformed, match=r"^users: expected a whole number, found \"many\"$") as caught:
        from_document(Request, {**to_document(Request(None, 1, None)), "users": "many"})
    assert caught.value.reason.render("zh") == 'users：应为“整数”，实际为 "many"'


@pytest.mark.parametrize("asked_at", ["yesterday", "2026-01-01T00:00:00"])
def test_a_time_that_is_none_is_named(asked_at):
    old = Fleet((Machine("a", replace(PROFILE, asked_at=asked_at)),))
    with pytest.raises(errors.ProfileUnreadable) as caught:
        refuse_old(old, 30)
    assert f'asked_at：应为“2026-01-31T12:00:00+00:00”，实际为 "{asked_at}"' in caught.value.message.render("zh")


@pytest.mark.parametrize("header", [b"[1]", b'{"t": 1}', b'{"t": {}}', b'{"t": {"data_offsets": [0, 9]}}', b"{"])
def test_a_weight_files_header_is_judged_in_the_readers_language(tmp_path, header):
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    said = text("header-fault", name=path.name, fault=header_fault(path)).render("zh")
    assert header_fault(path) is not None and foreign(said) == []


@pytest.mark.parametrize("index", ["", "{}", "[]", '{"weight_map": {"a": "../b"}}'])
def test_a_weight_index_is_judged_in_the_readers_language(index):
    with pytest.raises(ValueError) as caught:
        indexed_files(index, ".")
    assert foreign(text("header-fault", name="index.json", fault=caught.value).render("zh")) == []
