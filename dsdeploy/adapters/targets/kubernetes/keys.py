"""Whether the gateways hold the keys that were just sent: kubelets bring them with their next look at each pod."""

import os
import time
from datetime import UTC, datetime

from dsdeploy.adapters.endpoint import Endpoint
from dsdeploy.adapters.gateway.state import wait_for_keys
from dsdeploy.adapters.targets.kubernetes.connection import Cluster, Document
from dsdeploy.adapters.targets.kubernetes.door import HERE, door
from dsdeploy.core.errors import ClusterRefused, KeysNotInForce
from dsdeploy.core.keys import ApiKey
from dsdeploy.core.texts import text

_TOLD = "dsdeploy.io/keys-sent-at"
# kubelet's sync period of a minute, its jitter of half of that, and the watch that tells it of the Secret
_WAIT_S = 150


def wait_for_gateways(cluster: Cluster, pods: tuple[Document, ...], keys: tuple[ApiKey, ...]) -> None:
    """Returns once each running gateway holds exactly these. Raises KeysNotInForce after `DSDEPLOY_KEYS_S` seconds.

    A note on the pod makes its kubelet look at once. Without the right to reach into pods nothing can be seen: that is
    an error, too, for a key that was taken away may still open the door.
    """
    wait_s = float(os.environ.get("DSDEPLOY_KEYS_S") or _WAIT_S)
    end = time.monotonic() + wait_s
    running = [one for one in pods if (one.get("status") or {}).get("phase") == "Running"]
    for pod in running:
        cluster.annotate("v1", "Pod", pod["metadata"]["name"], {_TOLD: datetime.now(UTC).isoformat(timespec="seconds")})
    for pod in running:
        try:
            with door(cluster, pod, "metrics") as port:
                wait_for_keys(Endpoint(HERE, port), keys, max(1.0, end - time.monotonic()))
        except ClusterRefused as error:
            raise KeysNotInForce(text("keys-unseen", reason=error.message), hint=text("keys-unseen-hint")) from error
