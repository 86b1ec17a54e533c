"""What the gateway lets one client do, by what was planned: one application may stand for all users with one key."""

from dataclasses import dataclass

_BODY_BYTES, _BODY_BYTES_PER_TOKEN = 10 * 2**20, 16  # four letters of UTF-8 beyond Latin, or an escaped one, per token


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """Requests a minute and at once of one key, bytes of one request, connections of one address."""

    per_minute: int
    at_once: int
    body_bytes: int
    connections: int


def gateway_limits(users: int, context_tokens: int) -> GatewayLimits:
    """Twice what the planned users need, and never less than a small service's."""
    return GatewayLimits(
        per_minute=max(600, 60 * users),
        at_once=max(64, 2 * users),
        body_bytes=max(_BODY_BYTES, _BODY_BYTES_PER_TOKEN * context_tokens),
        connections=max(1024, 2 * users),
    )
