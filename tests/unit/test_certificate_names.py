"""For which names a made certificate holds."""

from cryptography import x509

from dsdeploy.adapters.gateway import certificate
from dsdeploy.core.layout import CERTIFICATE_FILE
from dsdeploy.core.values import Release, Weights


def names(folder) -> list[str]:
    release = Release(
        "default", "kubernetes", "m", "f", 4096, 2, "127.0.0.1", 8443, "", str(folder),
        Weights("m", "f", "s", None, "/w", ()), 1, "installed", "2026-11-25T03:00:00+00:00",
    )  # fmt: skip
    certificate.make(release)
    found = x509.load_pem_x509_certificate((folder / CERTIFICATE_FILE).read_bytes())
    return found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)


def test_in_a_cluster_it_holds_for_every_name_of_the_service(tmp_path):
    assert not [one for one in names(tmp_path) if one.startswith("default-dsdeploy")]
    (tmp_path / "cluster.json").write_text('{"context": "prod", "namespace": "llm"}')
    wanted = {"default-dsdeploy", "default-dsdeploy.llm", "default-dsdeploy.llm.svc"}
    assert wanted | {"default-dsdeploy.llm.svc.cluster.local", "localhost"} <= set(names(tmp_path))
