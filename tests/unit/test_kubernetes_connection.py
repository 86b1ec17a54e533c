"""Why an API server does not let a user in, told apart; asked through the real kubernetes library."""

import ssl
from datetime import timedelta

import pytest
import yaml

from dsdeploy.adapters.targets.kubernetes.connection import Cluster
from dsdeploy.core.errors import ClusterAway
from tests.fakes.cluster import Recording
from tests.kube.certificates import Authority


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Starts a recording behind TLS with a certificate that `lasts`; a cluster for `user`, who trusts `trusted`."""
    authority, servers = Authority(tmp_path / "pki"), []

    def start(lasts=timedelta(days=1), trusted=authority, **user) -> Cluster:
        server = Recording()
        servers.append(server)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue("serving", "kube-apiserver", hosts=("127.0.0.1",), lasts=lasts))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        config = server.kubeconfig()
        url = {"server": f"https://127.0.0.1:{server.server_port}", "certificate-authority": str(trusted.certificate)}
        config["clusters"][0]["cluster"] = url
        config["users"][0]["user"] = user or config["users"][0]["user"]
        (tmp_path / "config").write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        return Cluster(None, None)

    yield start
    for one in servers:
        one.shutdown()
        one.server_close()


def refusal(cluster: Cluster):
    with pytest.raises(ClusterAway) as caught:
        cluster.version()
    return caught.value.message


def test_a_user_with_a_token_is_let_in(served):
    assert served().version() == "v1.34.2"


def test_a_certificate_of_the_server_that_ended_is_told_from_one_that_nobody_vouches_for(served, tmp_path):
    assert refusal(served(lasts=timedelta(hours=-1))).id == "server-certificate-ended"
    stranger = refusal(served(trusted=Authority(tmp_path / "other")))
    assert stranger.id == "cluster-unreachable" and "certificate verify failed" in stranger.render("en")


def test_a_user_who_is_not_known_is_told_from_one_whose_certificate_ended(served, tmp_path):
    assert refusal(served(token="of-somebody-else")).id == "not-known-there"
    certificate, key = Authority(tmp_path / "users").issue("ended", "admin", lasts=timedelta(hours=-1))
    ended = {"client-certificate": str(certificate), "client-key": str(key)}
    assert refusal(served(**ended)).id == "certificate-ended"
