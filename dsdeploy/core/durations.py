"""How long ago, as people write it."""

import re

from dsdeploy.core.errors import InvalidRequest
from dsdeploy.core.texts import text

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def duration_s(words: str) -> int:
    """Seconds of `90s`, `15m`, `2h` or `3d`. Raises InvalidRequest."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", words.strip())
    if found is None:
        raise InvalidRequest(text("bad-duration", words=words), hint=text("bad-duration-hint"))
    return int(found[1]) * _UNITS_S[found[2]]
