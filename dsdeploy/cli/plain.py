"""Reads options that are words, numbers or paths without typer's validator, whose import costs as much as planning."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

import typer

_PLAIN = (str, int, float, Path)


def read_plainly() -> None:
    """From now on, for every parameter. A typer that keeps its reader elsewhere goes on with its own."""
    theirs = getattr(typer.core, "build_runtime_param", None)
    if theirs is not None:
        setattr(typer.core, "build_runtime_param", lambda descriptor: _Reader(descriptor, theirs))  # noqa: B010


@dataclass(frozen=True, slots=True)
class _Reader:
    """Of one parameter, in the place of typer's; what is not plain goes on to `theirs`."""

    descriptor: Any
    theirs: Callable[[Any], Any]

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Raises typer.BadParameter."""
        many = param.multiple or param.nargs == -1
        if value is None:
            return () if many else None
        kind, limits = self.descriptor.annotation, self.descriptor.parameter_info
        of_list = get_args(kind)[0] if many and get_origin(kind) is list else None
        if (of_list or kind) not in _PLAIN or not limits.min is limits.max is limits.parser is None:
            return self.theirs(self.descriptor).coerce(value, param=param, ctx=ctx)
        try:
            return [_read(of_list, one) for one in value] if of_list else _read(kind, value)
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=param) from error


def _read(kind: Any, value: Any) -> Any:
    found = kind(value)
    if kind is float and not math.isfinite(found):
        raise ValueError(f"{value!r} is not a number")
    return found
