"""How a release is spoken to: plain on loopback, by TLS where it has a certificate."""

from dsdeploy.adapters.endpoint import Endpoint
from dsdeploy.core.values import Release


def endpoint_of(release: Release) -> Endpoint:
    return Endpoint(release.host, release.port)
