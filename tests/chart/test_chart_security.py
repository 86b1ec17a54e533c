"""Every render is closed, and no line that closes it can go without being missed."""

import shutil

import pytest

from tests.chart.closedness import broken
from tests.chart.rendering import CHART, EXAMPLES, HelmRefused, example, pod_templates, render
from tests.chart.restricted import breaches

pytestmark = pytest.mark.helm
# Together they render every line that closes something.
SHOWN = (
    example("nvidia-two-nodes", engine__userEntry=True),
    example("cpu", gateway__tls__clientCa__secretName="clients", monitoring__serviceMonitor__enabled=True),
)

# Lines of templates that close something: each one, wherever it stands, is taken out alone.
LINES = (
    "automountServiceAccountToken: false", "enableServiceLinks: false", "hostNetwork: false", "hostPID: false",
    "hostIPC: false", "runAsNonRoot: true", "runAsUser: {{ . | int64 }}", "runAsGroup: {{ . | int64 }}",
    "fsGroup: {{ . | int64 }}", "fsGroupChangePolicy: OnRootMismatch", "type: RuntimeDefault",
    "allowPrivilegeEscalation: false", "privileged: false", "readOnlyRootFilesystem: {{ .readOnly }}", "drop: [ALL]",
    "readOnly: {{ .readOnly }}", "policyTypes: [Ingress, Egress]", "type: Recreate",
    "rollingUpdateConfiguration: {maxSurge: 0, maxUnavailable: 1}", "maxUnavailable: 1",
    "restartPolicy: RecreateGroupOnPodRestart", "startupPolicy: LeaderCreated",
    "progressDeadlineSeconds:", "limits: {", "ports: [{protocol: TCP",
    "podSelector: {matchLabels: {{ toJson", "- {name: CLIENT_CA,", "- {name: RATE_PER_MINUTE,",
    "- {name: CONCURRENT_PER_KEY,", "- {name: MAX_BODY_BYTES,", "- {name: CONNECTIONS_PER_SOURCE,",
)  # fmt: skip
# Pieces of lines, each with what would stand there instead.
PIECES = (
    (", readOnly: true", ""), (", defaultMode: 0440", ""), ("emptyDir: {sizeLimit: 16Mi}", "emptyDir: {}"),
    ("@{{ .image.digest -}}", ":latest"), ('"HF_HUB_OFFLINE" "1" ', ""), ('"TRANSFORMERS_OFFLINE" "1" ', ""),
    ('"VLLM_NO_USAGE_STATS" "1" ', ""), (' "DO_NOT_TRACK" "1"', ""), ('"HF_DATASETS_OFFLINE" "1" ', ""),
    ("- podSelector:\n            matchLabels:", "- namespaceSelector:\n            matchLabels:"),
    ("merge $closed .node.env", "merge .node.env"), ("/opt/dsdeploy/manifest,", "/dev/null,"),
    ("{matchLabels: {kubernetes.io/metadata.name: {{ .Values.networkPolicy.dns.namespace | quote }}}}", "{}"),
    ("defaultMode: 0440\n", "defaultMode: 0444\n"),
    ("{matchLabels: {kubernetes.io/metadata.name: {{ .Values.networkPolicy.monitoring.namespace | quote }}}}", "{}"),
    ("{matchLabels: {kubernetes.io/metadata.name: {{ . | quote }}}}", "{}"),
    ("{{- if .Values.gateway.logPrompts }}", "{{- if true }}"), ('list "requests" "limits"', 'list "requests"'),
    ("emptyDir: {sizeLimit: {{ int64 $one.sizeBytes | quote }}}", "emptyDir: {}"),
)  # fmt: skip


def mutants():
    for path in sorted((CHART / "templates").rglob("*.*")):
        content = path.read_text()
        name = path.relative_to(CHART)
        start = 0
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            if any(one in line for one in LINES):
                yield pytest.param(name, content[:start] + content[start + len(line) :], id=f"{name}:{number}")
            start += len(line)
        for number, (old, new) in enumerate(PIECES):
            at = content.find(old)
            while at >= 0:
                changed = content[:at] + new + content[at + len(old) :]
                yield pytest.param(name, changed, id=f"{name}:piece{number}@{content[:at].count(chr(10)) + 1}")
                at = content.find(old, at + 1)


def test_every_line_that_is_taken_out_still_stands_somewhere():
    content = "".join(path.read_text() for path in (CHART / "templates").rglob("*.*"))
    assert [one for one in (*LINES, *(old for old, _ in PIECES)) if one not in content] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_closed(name):
    documents = render(example(name))
    assert broken(documents) == []
    assert len(pod_templates(documents)) >= 3


def test_monitoring_opens_metrics_to_the_monitoring_namespace_alone():
    monitored = render(example("cpu", monitoring__serviceMonitor__enabled=True))
    assert broken(monitored) == []


def test_the_users_and_groups_of_openshift_are_left_to_the_namespace_and_still_restricted():
    documents = render(example("cpu", security__runAsUser=None, security__runAsGroup=None, security__fsGroup=None))
    for name, template in pod_templates(documents).items():
        assert "runAsUser" not in template["spec"]["securityContext"], name
        assert breaches(template["spec"]) == []


def test_a_host_path_is_the_one_breach_that_a_privileged_policy_admits():
    values = example("cpu", policy__podSecurity="privileged", weights__source="hostPath", weights__hostPath="/srv/w")
    found = {one for template in pod_templates(render(values)).values() for one in breaches(template["spec"])}
    assert found == {"volume weights is hostPath"}


@pytest.mark.parametrize(("template", "content"), list(mutants()))
def test_a_security_line_that_goes_is_missed(template, content, tmp_path):
    chart = tmp_path / "dsdeploy"
    shutil.copytree(CHART, chart)
    (chart / template).write_text(content)
    try:
        found = [one for values in SHOWN for one in broken(render(values, chart=chart))]
    except HelmRefused as refusal:
        found = [str(refusal)]
    assert found
