"""What is kept of a key, and which keys and names are refused."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsdeploy.core.errors import KeyMalformed, KeyNameInvalid, KeysUnreadable
from dsdeploy.core.keys import ApiKey, api_key, new_secret, read_key_map, write_key_map

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
HASHES = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
NOTES = st.one_of(
    st.tuples(st.none(), st.none()),
    st.tuples(st.just("2026-01-02T03:04:05+00:00"), st.from_regex(r"[A-Za-z0-9_-]{4}", fullmatch=True)),
)
KEYS = st.builds(lambda name, sha256, note: ApiKey(name, sha256, *note), NAMES, HASHES, NOTES)


@given(st.lists(KEYS, max_size=5))
def test_a_key_map_is_read_back_as_it_was_written(keys):
    assert read_key_map(write_key_map(tuple(keys)), "x") == tuple(keys)


def test_a_key_map_never_holds_the_key():
    secret = new_secret()
    key = api_key("alice", secret, "2026-01-02T03:04:05+00:00")
    assert key.sha256 == hashlib.sha256(secret.encode()).hexdigest() and key.ends_with == secret[-4:]
    assert secret not in write_key_map((key,))


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "ä", "a\nb", '"', "a/b"])
def test_a_name_that_could_break_a_line_or_a_log_is_refused(name):
    with pytest.raises(KeyNameInvalid):
        api_key(name, new_secret(), "now")


@pytest.mark.parametrize(
    "secret", ["", "tiny", "x" * 513, "with space" * 4, "käse" * 10, "a\tb" * 12, "=" * 40, "x\n" * 20]
)
def test_a_key_that_no_header_can_carry_is_refused(secret):
    with pytest.raises(KeyMalformed) as caught:
        api_key("alice", secret, "now")
    assert not secret or secret not in caught.value.message.render("en")


@pytest.mark.parametrize("line", ["nonsense", "0" * 63 + " a", "0" * 64 + " a b", "0" * 64, "A" * 64 + " a"])
def test_a_line_that_is_no_key_is_named_by_its_number_alone(line):
    with pytest.raises(KeysUnreadable) as caught:
        read_key_map(f"{'1' * 64} first\n{line}\n", "keys.map")
    assert "Line 2 of keys.map" in caught.value.message.render("en") and line not in caught.value.message.render("en")
