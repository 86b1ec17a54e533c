"""The beginning of an object is told from what only looks like one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsdeploy.core.json_text import begins_object

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(), _values, min_size=1, max_size=3), st.sampled_from([None, 4]), st.booleans(), st.data()
)
def test_an_object_cut_anywhere_after_its_first_key_is_a_beginning(whole, indent, plain, data):
    words = json.dumps(whole, indent=indent, ensure_ascii=plain)
    first = len(json.dumps(next(iter(whole)), ensure_ascii=plain)) + (indent or 0) + (2 if indent else 1) + 1
    cut = data.draw(st.integers(first, len(words)))
    assert begins_object(words[:cut])


@pytest.mark.parametrize(
    "words",
    [
        "", "{", '{"colour', 'Here is: {"a": 1', '["a", {"b": 1', '{"a": 1] ', '{"a": blue, "b"', '{a: 1', '{"a" 1:',
        '{"a": 1} and more', "{'a': 1", '{"a": blu', '{"a": "line\nbreak',
    ],
)  # fmt: skip
def test_what_no_ending_makes_an_object_is_none(words):
    assert not begins_object(words)
