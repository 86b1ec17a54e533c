"""Whether a service answers on its health path."""

import http.client

from dsdeploy.core.values import Release

_TIMEOUT_S = 2


def answers(release: Release, path: str = "/health") -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(release.host, release.host)
    connection = http.client.HTTPConnection(host, release.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
