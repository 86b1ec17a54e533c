"""A small fixed set of questions whose answers can be checked, and what a broken answer looks like."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HAN = re.compile("[\u4e00-\u9fff]")  # CJK Unified Ideographs
_REPEATED = re.compile(r"(?s)(.{2,24}?)\1{9,}|(\S)\2{39,}")  # ten times the same piece, or forty times the same sign


@dataclass(frozen=True, slots=True)
class QualityQuestion:
    """`answer` is a regular expression that a right answer holds."""

    language: str
    words: str
    answer: str

    def is_right(self, said: str) -> bool:
        return re.search(self.answer, said) is not None

    def is_foreign(self, said: str) -> bool:
        """Whether an English question was answered in Chinese, or a Chinese one at length without any Chinese."""
        han, latin = len(HAN.findall(said)), len(re.findall("[A-Za-z]", said))
        return han > len(said) / 4 if self.language == "en" else not han and latin > 20


@cache
def quality_questions() -> tuple[QualityQuestion, ...]:
    content = json.loads((Path(__file__).parent / "data" / "questions.json").read_text(encoding="utf-8"))
    return tuple(QualityQuestion(**one) for one in content["questions"])


def repeated(said: str) -> str | None:
    """The piece that an answer repeats without end, as broken quantisations do; None in a sound one."""
    found = _REPEATED.search(said)
    return None if found is None else (found[1] or found[2])
