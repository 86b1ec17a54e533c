"""What a check, or a look at a machine, found."""

from dataclasses import dataclass

from dsdeploy.core.texts import Text


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome: `status` is pass, warn, fail or skip; `measured` and `limit` are plain values with units."""

    id: str
    status: str
    message: Text
    hint: Text | None = None
    measured: str | None = None
    limit: str | None = None
