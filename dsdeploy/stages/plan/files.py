"""A plan as a file: written whole, read strictly."""

import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dsdeploy.adapters.files import write_whole
from dsdeploy.core.documents import fields_from, from_document, to_document
from dsdeploy.core.errors import PlanNotWritable, PlanUnreadable, RequestUnreadable
from dsdeploy.core.plan import Plan, Request
from dsdeploy.core.texts import RULES, Malformed, catalogue, text


def save_plan(plan: Plan, path: Path) -> None:
    """Writes the whole file or none; "-" is standard output. Raises PlanNotWritable."""
    import yaml

    content = yaml.safe_dump(to_document(plan), sort_keys=False, allow_unicode=True)
    try:
        if str(path) == "-":
            sys.stdout.write(content)
        else:
            write_whole(path, content)
    except OSError as error:
        raise PlanNotWritable(text("not-writable", path=path, reason=error), hint=text("not-writable-hint")) from error


def load_plan(path: Path) -> Plan:
    """The plan in a file; "-" is standard input. Raises PlanUnreadable, which names the place."""
    import yaml

    try:
        plan = from_document(Plan, yaml.safe_load(_words(path)))
        _known("warnings.code", (one.code for one in plan.warnings), catalogue())
        _known("rejected.rule", (one.rule for one in plan.rejected), RULES)
        return plan
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise PlanUnreadable(text("unreadable", path=path, reason=error), hint=text("plan-unreadable-hint")) from error


def load_request(path: Path) -> dict[str, Any]:
    """Any part of what is wanted, by the request's field names, from a file; "-" is standard input.

    Raises RequestUnreadable, which names the place.
    """
    import yaml

    try:
        return fields_from(Request, yaml.safe_load(_words(path)))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise RequestUnreadable(
            text("unreadable", path=path, reason=error), hint=text("request-unreadable-hint")
        ) from error


def _words(path: Path) -> str:
    return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")


def _known(place: str, codes: Iterable[str], known: Mapping[str, object]) -> None:
    for code in codes:
        if code not in known:
            near = ", ".join(get_close_matches(code, known, n=3, cutoff=0))
            raise Malformed(text("reason-unknown", value=code, near=near), place)
