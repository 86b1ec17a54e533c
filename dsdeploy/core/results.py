"""How every command ends, and the one JSON document that says so."""

from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Generic, TypeVar

from dsdeploy.core.errors import DsdeployError

T = TypeVar("T")
SCHEMA = "dsdeploy/result/v1"


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    command: str
    data: T
    exit_code: int = 0


def success_document(result: Result[Any]) -> dict[str, Any]:
    data = asdict(result.data) if is_dataclass(result.data) and not isinstance(result.data, type) else result.data
    return _document(result.command, "ok", result.exit_code, data, [])


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
