"""What the chart makes of models, engines and versions. DSDEPLOY_REWRITE=1 rewrites golden files and the README."""

import functools
import json
import os
import shutil
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from dsdeploy.core.layout import cluster_service
from tests.chart.closedness import broken
from tests.chart.deployments import ENGINES, MODELS, values
from tests.chart.rendering import (
    CHART,
    EXAMPLES,
    LATEST,
    LWS,
    VERSIONS,
    HelmRefused,
    example,
    helm,
    of_kind,
    pod_templates,
    render,
)

pytestmark = pytest.mark.helm
GOLDEN = Path(__file__).parents[1] / "golden" / "chart"
CRDS = json.loads((Path(__file__).parent / "crds.json").read_text())
OTHERS = {"Certificate", "ScaledObject", "HTTPRoute"}  # of operators whose schemas are not carried
SERVED = [(*model, engine) for model in MODELS for engine in ENGINES if model[3] == 1 or engine != "llama.cpp"]


@functools.cache
def _validate(document: str, version: str) -> None:
    one = json.loads(document)
    if one["kind"] in CRDS:
        jsonschema.validate(one["spec"], CRDS[one["kind"]])
        return
    try:
        kubernetes_validate.validate(one, version.rsplit(".", 1)[0], strict=True)
    except kubernetes_validate.ValidationError as error:
        pytest.fail(f"{one['kind']} {one['metadata']['name']} on {version}: {error.message}")


def validate(documents, version):
    for one in documents:
        if one["kind"] not in OTHERS:
            _validate(json.dumps(one, sort_keys=True), version)
    for one in of_kind(documents, "LeaderWorkerSet"):
        for role in ("leaderTemplate", "workerTemplate"):
            pod = {**one["spec"]["leaderWorkerTemplate"][role], "apiVersion": "v1", "kind": "Pod"}
            pod["metadata"] = {**pod["metadata"], "name": role.lower()}
            _validate(json.dumps(pod, sort_keys=True), version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("served", SERVED, ids=lambda one: f"{one[0]}-{one[4]}")
def test_every_model_on_every_engine_is_valid_and_closed_on_every_version(served, version):
    made = values(*served)
    if served[3] > 1:
        with pytest.raises(HelmRefused, match="LeaderWorkerSet"):
            render(made, version, lws=False)
    documents = render(made, version, lws=served[3] > 1)
    assert broken(documents) == []
    if version in (VERSIONS[0], LATEST) or served[0] == MODELS[-1][0]:
        validate(documents, version)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_pass_lint_and_the_schemas_of_the_newest_kubernetes(name):
    said = helm("lint", "--strict", "--quiet", str(CHART), "--values", str(CHART / "examples" / f"{name}.yaml"),
                "--kube-version", LATEST)  # fmt: skip
    assert "ERROR" not in said
    validate(render(example(name)), LATEST)


@pytest.mark.parametrize("name", ["nvidia-two-nodes", "cpu"])
def test_renders_are_as_reviewed(name):
    path = CHART / "examples" / f"{name}.yaml"
    said = helm("template", "r", str(CHART), "--namespace", "closed", "--kube-version", LATEST, "--api-versions", LWS,
                "--values", str(path))  # fmt: skip
    # The scripts and the gateway's configuration are files of their own: here they would only be noise.
    noise = ("  verify.", "  infer.py", "  haproxy.cfg")
    lines = [line for line in said.splitlines() if not line.startswith(noise) and ".lua: " not in line]
    shown = "\n".join(lines) + "\n"
    golden = GOLDEN / f"{name}.yaml"
    if os.environ.get("DSDEPLOY_REWRITE"):
        golden.write_text(shown, encoding="utf-8")
    checksum = [line for line in shown.splitlines() if "checksum/config" in line]
    assert len(checksum) == 1
    settled = [line for line in golden.read_text(encoding="utf-8").splitlines() if "checksum/config" not in line]
    assert [line for line in shown.splitlines() if "checksum/config" not in line] == settled


def engine_of(documents):
    return next(one for name, one in pod_templates(documents).items() if "-engine" in name)


def test_one_budget_rules_probe_deadline_and_timeout():
    values = example("amd-mi300x", loadBudget={
        "imagePullSeconds": 100, "verifyBytesPerSecond": 10**9, "readBytesPerSecond": 2 * 10**9, "engineSeconds": 500,
    })  # fmt: skip
    documents = render(values)
    engine = next(one for one in of_kind(documents, "Deployment") if one["metadata"]["name"].endswith("-engine"))
    size = sum(one["sizeBytes"] for one in values["weights"]["files"])
    verify, start = size // 10**9 + 1, max(1800, size * 3 // 2 // (2 * 10**9) + 1 + 500)
    load = 100 + verify + start
    timeout = load + load // 10 + 120
    assert engine["metadata"]["annotations"] == {
        "dsdeploy.io/verify-seconds": str(verify),
        "dsdeploy.io/start-seconds": str(start),
        "dsdeploy.io/load-seconds": str(load),
        "dsdeploy.io/timeout-seconds": str(timeout),
    }
    assert engine["spec"]["progressDeadlineSeconds"] == timeout
    probe = engine["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    assert start < probe["failureThreshold"] * probe["periodSeconds"] <= start + 5
    sampled = render(example("amd-mi300x", weights__verify={"policy": "sample", "sampleBytes": 3 * 10**8}))
    told = next(one for one in of_kind(sampled, "Deployment") if one["metadata"]["name"].endswith("-engine"))
    assert told["metadata"]["annotations"]["dsdeploy.io/verify-seconds"] == "2"


def test_keys_limits_and_the_charts_version_never_load_the_model_again(tmp_path):
    before = render(example("cpu"))
    limits = {
        "ratePerMinute": 1,
        "concurrentPerKey": 1,
        "maxBodyBytes": 1,
        "answerSeconds": 60,
        "connectionsPerSource": 9,
    }
    chart = tmp_path / "dsdeploy"
    shutil.copytree(CHART, chart)
    (chart / "Chart.yaml").write_text((chart / "Chart.yaml").read_text().replace("0.1.0", "0.2.0"))
    config = chart / "files" / "haproxy.cfg"
    config.write_text(config.read_text() + "# changed\n")
    after = render(example("cpu", gateway__limits=limits, loadBudget__imagePullSeconds=5), chart=chart)
    assert engine_of(before) == engine_of(after)
    gateways = [
        next(one for name, one in pod_templates(many).items() if "-gateway" in name) for many in (before, after)
    ]
    sums = [one["metadata"]["annotations"]["checksum/config"] for one in gateways]
    assert sums[0] != sums[1]


def test_shared_memory_is_counted_in_the_limit():
    pod = engine_of(render(example("amd-mi300x", engine__memoryBytes=1000, engine__shmBytes=24)))["spec"]
    assert pod["containers"][0]["resources"]["limits"]["memory"] == "1024"
    assert {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "24"}} in pod["volumes"]


def test_an_engine_that_looks_its_user_up_finds_it_unless_the_cluster_names_users_itself():
    mount = {"name": "manifest", "mountPath": "/etc/passwd", "subPath": "passwd", "readOnly": True}
    documents = render(example("amd-mi300x", engine__userEntry=True))
    pod = engine_of(documents)["spec"]
    assert mount in pod["containers"][0]["volumeMounts"]
    manifest = next(one for one in documents if one["metadata"]["name"].endswith("-manifest"))
    assert f"dsdeploy:x:{pod['securityContext']['runAsUser']}:" in manifest["data"]["passwd"]
    unnamed = render(example("amd-mi300x", engine__userEntry=True, security__runAsUser=None))
    assert mount not in engine_of(unnamed)["spec"]["containers"][0]["volumeMounts"]


def test_a_mirror_replaces_every_registry_and_no_other_image_is_asked_for():
    documents = render(
        example("cpu", **{"global": {"imageRegistry": "mirror.site:5000/all/", "imagePullSecrets": ["pull"]}})
    )
    images = {
        one["image"]
        for template in pod_templates(documents).values()
        for one in (*template["spec"].get("initContainers", ()), *template["spec"]["containers"])
    }
    assert images == {
        "mirror.site:5000/all/dsdeploy/llama.cpp@sha256:" + "a" * 64,
        "mirror.site:5000/all/dsdeploy/gateway@sha256:" + "b" * 64,
    }
    assert all(one["spec"]["imagePullSecrets"] == [{"name": "pull"}] for one in pod_templates(documents).values())


def test_devices_products_and_taints_are_asked_for_as_the_site_names_them():
    pod = engine_of(render(example("ascend-910b")))["spec"]
    assert pod["containers"][0]["resources"]["limits"]["huawei.com/Ascend910"] == "8"
    assert pod["tolerations"] == [{"key": "huawei.com/Ascend910", "operator": "Exists", "effect": "NoSchedule"}]
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": "accelerator", "operator": "In", "values": ["huawei-Ascend910"]}]


def test_where_a_site_wants_its_pods_is_said_of_every_node_of_a_replica():
    wanted = {"nodeSelector": {"pool": "gpu"}, "priorityClassName": "serving", "schedulerName": "gangs"}
    spread = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]
    documents = render(
        example(
            "nvidia-two-nodes", rdma__networks="fabric", engine__runtimeClassName="nvidia",
            scheduling={**wanted, "topologySpreadConstraints": spread, "exclusiveTopologyKey": "rack"},
        )
    )  # fmt: skip
    pods = {name: one for name, one in pod_templates(documents).items() if name.startswith("LeaderWorkerSet")}
    assert len(pods) == 2
    for one in pods.values():
        assert {**wanted, "runtimeClassName": "nvidia"}.items() <= one["spec"].items()
        assert one["spec"]["topologySpreadConstraints"] == spread
        assert one["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"] == "fabric"
        container = one["spec"]["containers"][0]
        assert container["resources"]["limits"]["rdma/hca"] == "1"
        told = {it["name"]: it["value"] for it in container["env"]}
        rdma = {"NCCL_IB_HCA": "mlx5", "NCCL_IB_GID_INDEX": "3", "NCCL_SOCKET_IFNAME": "eth0"}
        assert rdma.items() <= told.items()
    (group,) = of_kind(documents, "LeaderWorkerSet")
    assert group["metadata"]["annotations"]["leaderworkerset.sigs.k8s.io/exclusive-topology"] == "rack"


def test_options_that_are_off_are_valid_when_on():
    dra = {
        "mode": "dra",
        "dra": {"deviceClassName": "gpu.nvidia.com", "selectors": ["device.driver == 'gpu.nvidia.com'"]},
    }
    spread = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]
    values = example(
        "amd-mi300x", accelerator=dra, weights__source="image", weights__verify__policy="sample",
        weights__image={"registry": "r.site", "repository": "w", "digest": "sha256:" + "e" * 64},
        gateway__ingress={"enabled": True, "className": "nginx", "host": "chat.site"},
        gateway__httpRoute={"enabled": True, "gatewayName": "g", "hostnames": ["chat.site"]},
        gateway__tls={"certManager": {"issuerName": "site-ca", "issuerKind": "ClusterIssuer"}},
        gateway__logPrompts=True, autoscaling={"kind": "hpa", "maxReplicas": 3}, engine__spareGpus=True,
        engine__hugepages={"size": "2Mi", "bytes": 2**30}, scheduling__topologySpreadConstraints=spread,
        scheduling__tolerations=[{"key": "a", "operator": "Exists"}], scheduling__priorityClassName="high",
        monitoring={one: {"enabled": True} for one in ("serviceMonitor", "prometheusRule", "dashboard")},
    )  # fmt: skip
    documents = render(values)
    validate(documents, LATEST)
    kinds = {one["kind"] for one in documents}
    assert kinds >= {"Ingress", "HTTPRoute", "Certificate", "HorizontalPodAutoscaler", "ResourceClaimTemplate"}
    pod = engine_of(documents)["spec"]
    assert pod["resourceClaims"][0]["resourceClaimTemplateName"] == "r-dsdeploy-accelerators"
    assert "amd.com/gpu" not in pod["containers"][0]["resources"]["limits"]
    keda = render(
        example("nvidia-two-nodes", autoscaling={"kind": "keda", "maxReplicas": 2, "prometheusAddress": "http://p"})
    )
    (scaled,) = of_kind(keda, "ScaledObject")
    assert scaled["spec"]["scaleTargetRef"]["kind"] == "LeaderWorkerSet"
    assert "sglang:num_queue_reqs" in scaled["spec"]["triggers"][0]["metadata"]["query"]
    claim = {"create": True, "sizeBytes": 2 * 10**12, "storageClassName": "fast", "accessMode": "ReadWriteMany"}
    made = render(example("amd-mi300x", weights__claim=claim))
    validate(of_kind(made, "PersistentVolumeClaim"), LATEST)
    assert of_kind(made, "PersistentVolumeClaim")[0]["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_the_dashboard_and_the_alerts_ask_the_engine_for_its_own_metrics():
    for engine, name in (("vllm", "amd-mi300x"), ("sglang", "nvidia-two-nodes"), ("llama.cpp", "cpu")):
        own = json.loads((CHART / "files" / "monitoring" / "metrics.json").read_text())[engine]
        on = {f"monitoring__{one}__enabled": True for one in ("serviceMonitor", "prometheusRule", "dashboard")}
        documents = render(example(name, **on))
        config = next(one for one in documents if one["metadata"]["name"] == "r-dsdeploy-dashboard")
        dashboard = json.loads(config["data"]["r-dsdeploy.json"])
        asked = " ".join(panel["targets"][0]["expr"] for panel in dashboard["panels"])
        assert all(metric in asked for key, metric in own.items() if key != "source"), engine
        assert "<nil>" not in asked and len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
        (rules,) = of_kind(documents, "PrometheusRule")
        alerts = {one["alert"]: one for one in rules["spec"]["groups"][0]["rules"]}
        assert alerts.keys() >= {"EngineNotReady", "EngineRestarted", "QueueGrows", "GatewayHasNoEngine", "GpuFault"}
        assert ("KvCacheFull" in alerts) == ("kvCacheUsage" in own)
        assert own["waiting"] in alerts["QueueGrows"]["expr"]


def rows(schema, defaults, path=""):
    for name, one in schema["properties"].items():
        here = f"{path}{name}"
        default = defaults.get(name) if isinstance(defaults, dict) else None
        if "properties" in one:
            yield f"| `{here}` | | {one['description']} |"
            yield from rows(one, default, f"{here}.")
        else:
            told = one.get("description") or "Digest; required"
            choice = f" ({', '.join(map(str, one['enum']))})" if "enum" in one and any(one["enum"]) else ""
            yield f"| `{here}` | `{json.dumps(default, ensure_ascii=False)}` | {told}{choice} |"


def test_the_readme_lists_every_value():
    schema = json.loads((CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    table = "\n".join(("| Value | Default | Meaning |", "|---|---|---|", *rows(schema, defaults)))
    path = CHART / "README.md"
    before, _, _ = path.read_text(encoding="utf-8").partition("\n| Value |")
    if os.environ.get("DSDEPLOY_REWRITE"):
        path.write_text(f"{before}\n{table}\n", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == f"{before}\n{table}\n"


@pytest.mark.parametrize("name", ["default", "dsdeploy", "a-dsdeploy", "r" * 39, "r" * 30 + "-x"])
def test_the_gateways_service_is_called_as_the_program_tells(name):
    made = helm("template", name, str(CHART), "--values", str(CHART / "examples" / f"{EXAMPLES[0]}.yaml"))
    services = [one for one in yaml.safe_load_all(made) if one and one["kind"] == "Service"]
    (gateway,) = [
        one["metadata"]["name"]
        for one in services
        if one["metadata"]["labels"]["app.kubernetes.io/component"] == "gateway"
    ]
    assert gateway == cluster_service(name)
