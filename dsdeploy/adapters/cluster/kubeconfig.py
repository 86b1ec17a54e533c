"""The user's own kubeconfig: which cluster, as whom, in which namespace."""

import os
from dataclasses import dataclass
from typing import Any

from dsdeploy.core.errors import ClusterUnreachable
from dsdeploy.core.texts import text


@dataclass(frozen=True, slots=True)
class Access:
    """`settings` is the kubernetes library's Configuration; `namespace` is the context's own, else `default`."""

    context: str
    namespace: str
    settings: Any


def open_kubeconfig(context: str | None) -> Access:
    """That context, or the current one. Raises ClusterUnreachable for a file or context that is not there or broken."""
    from kubernetes import client, config

    files = os.environ.get("KUBECONFIG") or "~/.kube/config"  # the library looks once, when it is imported
    try:
        contexts, active = config.list_kube_config_contexts(files)
        chosen = next(one for one in contexts if one["name"] == context) if context else active
        settings = client.Configuration()
        config.load_kube_config(files, context=chosen["name"], client_configuration=settings)
    except StopIteration as error:
        known = ", ".join(one["name"] for one in contexts)
        raise ClusterUnreachable(
            text("cluster-no-context", context=context), hint=text("cluster-no-context-hint", known=known)
        ) from error
    except (config.ConfigException, OSError, TypeError, KeyError) as error:
        raise ClusterUnreachable(
            text("cluster-no-config", reason=error), hint=text("cluster-no-config-hint")
        ) from error
    settings.retries = 1
    return Access(chosen["name"], chosen["context"].get("namespace") or "default", settings)
