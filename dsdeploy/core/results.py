"""How every command ends, and the one JSON document that says so."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Generic, TypeVar

from dsdeploy.core.errors import DsdeployError
from dsdeploy.core.texts import Text

T = TypeVar("T")
SCHEMA = "dsdeploy/result/v1"


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    command: str
    data: T
    exit_code: int = 0


def success_document(result: Result[Any], language: str) -> dict[str, Any]:
    return _document(result.command, "ok", result.exit_code, _plain(result.data, language), [])


def failure_document(command: str, error: DsdeployError, language: str) -> dict[str, Any]:
    entry = {
        "code": error.code,
        "message": error.message.render(language),
        "hint": error.hint.render(language),
    }
    return _document(command, "error", error.exit_code, None, [entry])


def _document(command: str, status: str, exit_code: int, data: Any, errors: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "command": command,
        "status": status,
        "exit_code": exit_code,
        "data": data,
        "errors": errors,
    }


def _plain(value: Any, language: str) -> Any:
    if isinstance(value, Text):
        return value.render(language)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name), language) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(one, language) for key, one in value.items()}
    return [_plain(one, language) for one in value] if isinstance(value, tuple | list) else value
