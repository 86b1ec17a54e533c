"""What a check, or a look at a machine, found."""

from dataclasses import dataclass

from dsdeploy.core.texts import Text

BROKE = "check-broke"  # the id of a finding that says of a checker, not of the service, that it failed


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome: `status` is pass, warn, fail or skip; `measured` and `limit` are plain values with units.

    `took_s` is None where nothing was run. What several checks read counts in the first that asked for it.
    """

    id: str
    status: str
    message: Text
    hint: Text | None = None
    measured: str | None = None
    limit: str | None = None
    took_s: float | None = None
