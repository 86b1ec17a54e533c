import errno
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from dsdeploy.core.texts import catalogue, choose_language, text

SOURCES = "\n".join(p.read_text() for p in (Path(__file__).parents[2] / "dsdeploy").rglob("*.py"))


def test_every_message_is_in_both_languages_with_the_same_values():
    for id, languages in catalogue().items():
        assert set(languages) == {"en", "zh"}, id
        braces = {lang: sorted(re.findall(r"\{(\w+)\}", words)) for lang, words in languages.items()}
        assert braces["en"] == braces["zh"], id


def test_no_message_is_written_twice():
    """Of two with one id, the one that a folder happens to list last would be said."""
    areas = (Path(__file__).parents[2] / "dsdeploy/core/data/messages").iterdir()
    times = Counter(re.findall(r'^ "([a-z0-9-]+)":', "\n".join(area.read_text() for area in areas), re.MULTILINE))
    assert set(times) == set(catalogue()) and [id for id, count in times.items() if count > 1] == []


def test_every_message_that_the_program_names_exists_and_none_is_dead():
    ids = set(catalogue())
    assert set(re.findall(r'\b(?:text|say)\("([a-z-]+)"', SOURCES)) <= ids
    operations = {f"operation-{action}" for action in re.findall(r'\bOperation\("([a-z-]+)"', SOURCES)}
    assert operations <= ids
    system = {f"system-{code.lower()}" for code in errno.errorcode.values()}
    assert [id for id in ids - operations - system if f'"{id}"' not in SOURCES] == []


@pytest.mark.parametrize(
    ("wanted", "environment", "language"),
    [
        ("zh", {"LANG": "en_US"}, "zh"),
        (None, {"LANG": "zh_CN.UTF-8"}, "zh"),
        (None, {}, "en"),
        (None, {"LC_ALL": "C", "LANG": "zh_CN"}, "en"),
    ],
)
def test_language_is_the_flag_then_the_locale(wanted, environment, language):
    assert choose_language(wanted, environment) == language


@pytest.mark.parametrize("code", ["ENOENT", "EACCES", "ENOSPC", "EROFS", "EADDRINUSE", "ECONNREFUSED", "EHOSTUNREACH"])
def test_what_the_operating_system_says_is_said_in_the_readers_language(code):
    said = os.strerror(getattr(errno, code))
    for reason in (said, OSError(getattr(errno, code), said, "/x")):
        message = text("not-writable", path="/x", reason=reason)
        assert said in message.render("en") and said not in message.render("zh")
        assert catalogue()[f"system-{code.lower()}"]["zh"] in message.render("zh")
    unresolved = text("answer-refused", where="a:1", reason=OSError(-2, "Name or service not known"))
    assert "名称无法解析" in unresolved.render("zh")
    other = text("not-writable", path="/x", reason="what no system says")
    assert "what no system says" in other.render("zh")


def test_the_systems_word_is_found_below_the_library_that_wrapped_it():
    """No caller should read a connection pool's inner life."""
    try:
        try:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        except OSError as inner:
            raise RuntimeError("HTTPConnectionPool(host='h', port=9): Max retries exceeded") from inner
    except RuntimeError as outer:
        message = text("hub-unreachable", endpoint="http://h:9", reason=outer)
    assert "连接被拒绝" in message.render("zh") and "Max retries" not in message.render("en")
    other = text("hub-unreachable", endpoint="h", reason=RuntimeError("what no system says\nx"))
    assert other.render("en").endswith("what no system says")
