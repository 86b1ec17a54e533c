"""Each rule of the schema and of validate.yaml, broken alone, with exactly what Helm then says."""

import json
import re
from copy import deepcopy
from itertools import pairwise

import pytest
import yaml

from tests.chart.rendering import CHART, HelmRefused, change, example, render

pytestmark = pytest.mark.helm
OTHER = {"repository": "w", "digest": "sha256:" + "e" * 64}


def said(values, **how) -> str:
    with pytest.raises(HelmRefused) as refused:
        render(values, **how)
    return str(refused.value)


# example, changes, what Helm says with the schema passed by
FAILS = [
    ("cpu", {"image__engine__digest": "latest"}, 'image.engine.digest: "latest" is no digest: give sha256: and 64 hex digits'),
    ("cpu", {"image__gateway__digest": ""}, 'image.gateway.digest: "" is no digest: give sha256: and 64 hex digits'),
    ("cpu", {"image__engine__repository": ""}, "image.engine.repository is missing"),
    ("cpu", {"engine__name": "tgi"}, 'engine.name: "tgi" is none of vllm, sglang, llama.cpp'),
    ("cpu", {"model__name": ""}, "model.name is missing"),
    ("amd-mi300x", {"parallelism__tensor": 4}, "parallelism: 4 ranks (tensor x pipeline x data) on 8 devices (nodes x devicesPerNode)"),
    ("amd-mi300x", {"parallelism__data": 2}, "parallelism: 16 ranks (tensor x pipeline x data) on 8 devices (nodes x devicesPerNode)"),
    ("cpu", {"parallelism__nodes": 2}, "parallelism.nodes: llama.cpp serves from one node"),
    ("nvidia-two-nodes", {"engine__worker": {"argv": [], "env": {}}}, "engine.worker.argv is missing: several nodes need it"),
    ("nvidia-two-nodes", {"engine__spareGpus": True}, "engine.spareGpus: a replica of several nodes never surges"),
    ("cpu", {"engine__leader__argv": []}, "engine.leader.argv is missing"),
    ("cpu", {"engine__keySecret__name": ""}, "engine.keySecret.name is missing: the gateway and the engine share a key"),
    ("cpu", {"engine__memoryBytes": 0}, "engine.memoryBytes is missing"),
    ("cpu", {"security__runAsUser": 0}, "security.runAsUser: root is not admitted"),
    ("cpu", {"security__runAsGroup": 0}, "security.runAsGroup: root is not admitted"),
    ("cpu", {"accelerator__mode": "devicePlugin"}, "accelerator.mode: no devices are asked for, so it is none"),
    ("amd-mi300x", {"accelerator__mode": "none"}, "accelerator.mode: none, but parallelism asks for devices"),
    ("amd-mi300x", {"accelerator__mode": "dra"}, "accelerator.dra.deviceClassName is missing"),
    ("cpu", {"weights__files": []}, "weights.files is missing: nothing could be verified"),
    ("cpu", {"weights__files": [{"name": "a", "sizeBytes": 1, "sha256": ""}]}, "weights.files: a has no SHA-256"),
    ("cpu", {"weights__files": [{"name": "../a", "sizeBytes": 1, "sha256": "e" * 64}]}, 'weights.files: "../a" leads out of the folder'),
    ("cpu", {"weights__source": "image"}, 'weights.image.digest: "" is no digest: give sha256: and 64 hex digits'),
    ("cpu", {"weights__source": "image", "weights__image": OTHER}, "weights.verify.policy: an image volume holds no stamp; choose full or sample"),
    ("cpu", {"weights__source": "hostPath", "weights__hostPath": "/w"}, "weights.source: hostPath is not admitted under restricted; policy.podSecurity must be privileged"),
    ("cpu", {"weights__source": "hostPath", "policy__podSecurity": "privileged"}, "weights.hostPath is missing"),
    ("cpu", {"weights__claim__create": True}, "weights.claim: create and existingName exclude each other"),
    ("cpu", {"weights__claim__existingName": ""}, "weights.claim: neither create nor existingName is given"),
    ("cpu", {"weights__claim": {"create": True, "sizeBytes": 1}}, "weights.claim.sizeBytes is smaller than the weights"),
    ("cpu", {"weights__claim": {"create": True, "sizeBytes": 10**12, "accessMode": "ReadWriteOnce"}, "engine__replicas": 2}, "weights.claim.accessMode: several pods need ReadOnlyMany or ReadWriteMany"),
    ("cpu", {"gateway__tls__certManager": {"issuerName": "ca"}}, "gateway.tls: existingSecret and certManager exclude each other"),
    ("cpu", {"gateway__tls__existingSecret": ""}, "gateway.tls: neither existingSecret nor certManager.issuerName is given; the gateway speaks only TLS"),
    ("cpu", {"gateway__keysSecret__name": ""}, "gateway.keysSecret.name is missing: the gateway admits nobody without keys"),
    ("cpu", {"gateway__keysSecret__name": "engine-key"}, "engine.keySecret and gateway.keysSecret are one Secret: the engine's key must not be read beside the clients'"),
    ("cpu", {"autoscaling__kind": "hpa", "engine__replicas": 2}, "autoscaling.maxReplicas is below engine.replicas"),
    ("cpu", {"autoscaling__kind": "keda"}, "autoscaling.prometheusAddress is missing: keda asks it"),
]  # fmt: skip

# what Helm says where the cluster, not a value, is the reason
OF_A_CLUSTER = (
    "parallelism.nodes: several nodes need the LeaderWorkerSet API (leaderworkerset.x-k8s.io/v1), which this cluster lacks",
    "weights.source: image volumes need Kubernetes 1.36 (weights.image.allowBeta: 1.33 with the feature gate on)",
    "accelerator.mode: dra needs Kubernetes 1.34",
)


@pytest.mark.parametrize(("name", "changes", "words"), FAILS, ids=[one[2] for one in FAILS])
def test_a_vital_rule_holds_without_the_schema(name, changes, words):
    told = said(example(name, **changes), schema=False)
    assert told.split("validate.yaml:")[1].split(": ", 1)[1].splitlines()[0] == words


def test_no_vital_rule_is_without_its_test():
    content = (CHART / "templates" / "validate.yaml").read_text()
    told = [one for one in re.findall(r'\{\{ fail \(?(?:printf )?"([^"]+)"', content) if one not in OF_A_CLUSTER]
    assert len(told) + len(OF_A_CLUSTER) == content.count("{{ fail ")
    patterns = [re.sub("%[sdq]", ".+", re.escape(one)) for one in told]
    assert [one for one in patterns if not any(re.fullmatch(one, words) for _, _, words in FAILS)] == []


def test_the_cluster_must_have_what_the_values_need():
    groups, images, claims = OF_A_CLUSTER
    assert groups in said(example("nvidia-two-nodes"), lws=False)
    image = dict(weights__source="image", weights__verify__policy="full")
    assert images in said(example("cpu", **image, weights__image=OTHER), version="1.35.0")
    beta = {**OTHER, "allowBeta": True}
    assert render(example("cpu", **image, weights__image=beta), version="1.33.0")
    assert images in said(example("cpu", **image, weights__image=beta), version="1.32.0")
    dra = example("amd-mi300x", accelerator={"mode": "dra", "dra": {"deviceClassName": "gpu.amd.com"}})
    assert claims in said(dra, version="1.33.0")
    assert render(dra, version="1.34.0")
    assert "chart requires kubeVersion: >=1.29.0-0" in said(example("cpu"), version="1.28.0")


def folders(schema, path=()):
    """Every object of the schema that lists its properties, by its path; through lists."""
    if "items" in schema:
        yield from folders(schema["items"], (*path, 0))
    if "properties" in schema:
        yield path
        for name, one in schema["properties"].items():
            yield from folders(one, (*path, name))


SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
LISTED = {
    "engine.writable": {"path": "/tmp", "sizeBytes": 1},
    "weights.files": {"name": "a", "sizeBytes": 1, "sha256": "a" * 64},
    "scheduling.tolerations": {"key": "a"},
    "scheduling.topologySpreadConstraints": {"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}},
}  # fmt: skip


def pointer(path) -> str:
    return "".join(f"/{one}" for one in path)


def put(values, path, value):
    """As if written there; what is on the way to it is made where it is not."""
    place = values
    for number, (name, following) in enumerate(pairwise(path)):
        if name == 0:
            place.append(deepcopy(LISTED[".".join(map(str, path[:number]))])) if not place else None
            place = place[0]
        else:
            place = place.setdefault(name, [] if following == 0 else {})
    if path[-1] == 0:
        place[:] = [value]
    elif value is None and 0 in path:
        del place[path[-1]]  # Helm takes null as "not there" outside of lists only
    else:
        place[path[-1]] = value


@pytest.mark.parametrize("path", list(folders(SCHEMA)), ids=lambda path: ".".join(map(str, path)) or "top")
def test_a_misspelt_value_is_refused_at_every_level(path):
    values = example("cpu")
    put(values, (*path, "mispelt"), "x")
    assert f"at '{pointer(path)}': additional properties 'mispelt' not allowed" in said(values)


# what people try
REFUSED = [
    ({"image__engine__digest": "sha256:abc"}, "at '/image/engine/digest': 'sha256:abc' does not match pattern '^sha256:[a-f0-9]{64}$'"),
    ({"image__engine": {"registry": "", "repository": "r", "tag": "latest"}}, "at '/image/engine/digest': '' does not match pattern '^sha256:[a-f0-9]{64}$'"),
    ({"engine__cpu": 8}, "at '/engine/cpu': got number, want string"),
    ({"networkPolicy__clientCidrs": ["any"]}, "at '/networkPolicy/clientCidrs/0': 'any' does not match pattern"),
    ({"engine__keySecret__value": "secret"}, "at '/engine/keySecret': additional properties 'value' not allowed"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=[one[1] for one in REFUSED])
def test_the_schema_names_the_value_and_what_is_wanted(changes, words):
    assert words in said(example("cpu", **changes))


# what holds only where another value is as it is
CONDITIONS = [
    ("cpu", {"parallelism__nodes": 2}, "at '/parallelism/nodes': value must be 1"),
    ("cpu", {"parallelism__devicesPerNode": 1}, "at '/parallelism/devicesPerNode': value must be 0"),
    ("cpu", {"accelerator__mode": "devicePlugin"}, "at '/accelerator/mode': value must be 'none'"),
    ("amd-mi300x", {"accelerator__mode": "dra"}, "at '/accelerator/dra/deviceClassName': minLength: got 0, want 1"),
    ("nvidia-two-nodes", {"engine__worker": {"argv": [], "env": {}}}, "at '/engine/worker/argv': minItems: got 0, want 1"),
    ("nvidia-two-nodes", {"engine__spareGpus": True}, "at '/engine/spareGpus': value must be false"),
    ("cpu", {"weights__source": "hostPath", "weights__hostPath": "/w"}, "at '/policy/podSecurity': value must be 'privileged'"),
    ("cpu", {"weights__source": "hostPath", "policy__podSecurity": "privileged"}, "at '/weights/hostPath': minLength: got 0, want 1"),
    ("cpu", {"weights__source": "image", "weights__image": OTHER}, "at '/weights/verify/policy': value must be one of 'full', 'sample'"),
    ("cpu", {"weights__source": "image"}, "at '/weights/image/digest': '' does not match pattern '^sha256:[a-f0-9]{64}$'"),
    ("cpu", {"weights__source": "image"}, "at '/weights/image/repository': minLength: got 0, want 1"),
    ("cpu", {"gateway__ingress__enabled": True}, "at '/gateway/ingress/host': minLength: got 0, want 1"),
    ("cpu", {"gateway__ingress__enabled": True}, "at '/gateway/ingress/className': minLength: got 0, want 1"),
    ("cpu", {"gateway__httpRoute__enabled": True}, "at '/gateway/httpRoute/gatewayName': minLength: got 0, want 1"),
    ("cpu", {"gateway__httpRoute__enabled": True}, "at '/gateway/httpRoute/hostnames': minItems: got 0, want 1"),
    ("cpu", {"autoscaling__kind": "keda"}, "at '/autoscaling/prometheusAddress': minLength: got 0, want 1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "words"), CONDITIONS, ids=[one[2] for one in CONDITIONS])
def test_a_condition_between_values_is_named(name, changes, words):
    assert words in said(example(name, **changes))


def test_no_condition_is_without_its_test():
    def then(schema, path=""):
        for one in (schema, *schema.get("allOf", ())):
            if "then" in one:
                yield from leaves(one["then"], path)
        for name, one in schema.get("properties", {}).items():
            yield from then(one, f"{path}/{name}")

    def leaves(schema, path):
        for name, one in schema.get("properties", {}).items():
            yield from leaves(one, f"{path}/{name}") if "properties" in one else (f"{path}/{name}",)

    assert set(then(SCHEMA)) == {re.search(r"'(/\S+)'", words)[1] for _, _, words in CONDITIONS}


WRONG = {"string": 7, "integer": 1.5, "number": "x", "boolean": "x", "array": "x", "object": "x"}
KNOWN = {"type", "enum", "minimum", "maximum", "exclusiveMinimum", "minLength", "minItems", "pattern", "items", "$ref"}
KNOWN |= {"properties", "additionalProperties", "required", "description", "allOf", "if", "then"}


def rules(schema, path=()):
    """Each rule of the schema that stands without a condition: where, what breaks it, a pattern of what Helm says."""
    schema = SCHEMA["$defs"]["digest"] if "$ref" in schema else schema
    assert set(schema) <= KNOWN | ({"$schema", "title", "$defs"} if not path else set()), path
    at = f"at '{pointer(path)}': "
    kinds = schema.get("type", ()) if path else ()
    for kind in (kinds,) if isinstance(kinds, str) else kinds[:1]:
        told, wanted = "string" if WRONG[kind] == "x" else "number", kind if kind == kinds else "null or integer"
        yield path, WRONG[kind], at + f"got {told}, want {wanted}"
    for word, value in schema.items():
        match word:
            case "enum":
                yield path, "?", at + "value must be one of " + ", ".join(f"'{one}'" for one in value)
            case "minimum" | "maximum":
                wrong = value - 1 if word == "minimum" else value + 1
                yield path, wrong, at + f"{word}: got {wrong:,}, want {value:,}"
            case "exclusiveMinimum":
                yield path, value, at + f"{word}: got {value}, want {value}"
            case "minLength" | "minItems":
                yield path, "" if word == "minLength" else [], at + f"{word}: got 0, want {value}"
            case "pattern":
                wrong = next(one for one in ("", "/", "w:\n", "Ä ") if not re.search(value, one))
                yield path, wrong, at + ".* does not match pattern " + re.escape(repr(value))
            case "required":
                yield from (((*path, one), None, at + f"missing propert(y|ies) .*'{one}'") for one in value)
            case "items":
                yield from rules(value, (*path, 0))
            case "properties":
                for name, one in value.items():
                    yield from rules(one, (*path, name))
            case "additionalProperties" if value:
                yield from rules(value, (*path, "a"))


def renders():
    """The same in as few renders as can be: what breaks one rule of a value hides its others, and those within."""
    together: list[dict] = []
    for path, value, words in rules(SCHEMA):
        free = (one for one in together if not any(path[: len(it)] == it or it[: len(path)] == path for it in one))
        if (place := next(free, None)) is None:
            together.append(place := {})
        place[path] = (value, words)
    return together


@pytest.mark.parametrize("broken", renders())
def test_every_rule_of_the_schema_is_named_when_it_is_broken(broken):
    values = example("cpu")
    for path, (value, _) in broken.items():
        put(values, path, value)
    told = said(values)
    assert [words for _, words in broken.values() if not re.search(words, told)] == []


def test_every_object_of_the_schema_is_closed_and_no_value_can_hold_a_secret():
    def walk(one, path=""):
        if isinstance(one, dict):
            if "properties" in one and "if" not in path.split("/") and "then" not in path.split("/"):
                assert one.get("additionalProperties") is False, path
            for name, inner in one.items():
                walk(inner, f"{path}/{name}")

    walk(SCHEMA)
    names = {name.lower() for path in folders(SCHEMA) for name in map(str, path)}
    assert not names & {"apikey", "password", "token", "secret", "key"}


def test_defaults_name_exactly_the_values_of_the_schema():
    def same(schema, defaults, path=""):
        if "properties" in schema:
            assert set(schema["properties"]) == set(defaults), path
            for name, one in schema["properties"].items():
                same(one, defaults[name], f"{path}.{name}")

    same(SCHEMA, DEFAULTS)
    assert change({"a": {}}, {"a__b": 1}) == {"a": {"b": 1}}
