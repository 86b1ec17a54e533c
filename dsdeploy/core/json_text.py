"""Is a text that was cut off the beginning of a JSON object?"""

import json
import re

_CLOSING = {"{": "}", "[": "]"}
_CUT_WORD = re.compile(r"(?:t(?:ru?)?|f(?:al?|als)?|n(?:ul?)?|-?\d[-+.eE\d]*|-)$")  # of true, false, null or a number


def begins_object(words: str) -> bool:
    """Whether some ending makes an object of `words`, and its first key is there."""
    open_brackets: list[str] = []
    in_string = escaped = False
    keys = 0
    for sign in words:
        if escaped:
            escaped = False
        elif in_string:
            escaped, in_string = sign == "\\", sign != '"'
        elif sign == '"':
            in_string = True
        elif sign in _CLOSING:
            open_brackets.append(sign)
        elif sign in "]}" and (not open_brackets or _CLOSING[open_brackets.pop()] != sign):
            return False
        else:
            keys += sign == ":"
    if not keys or not words.lstrip().startswith("{"):
        return False
    closing = "".join(_CLOSING[one] for one in reversed(open_brackets))
    return any(_is_object(start + closing) for start in _starts(words, in_string=in_string, escaped=escaped))


def _starts(words: str, *, in_string: bool, escaped: bool) -> tuple[str, ...]:
    """`words` with what was cut in its midst ended: as a value, or as a key that wants one."""
    if in_string:
        whole = re.sub(r"\\u[0-9a-fA-F]{0,3}$", "", words[:-1] if escaped else words) + '"'
        return (whole, whole + ":0")
    bare = words.rstrip()
    word = _CUT_WORD.sub("", bare)
    return (bare, bare + ":0", bare.removesuffix(","), word + "0")


def _is_object(words: str) -> bool:
    try:
        return isinstance(json.loads(words), dict)
    except (ValueError, RecursionError):
        return False
