from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dsdeploy.core.documents import from_document, to_document
from dsdeploy.core.errors import RenderError
from dsdeploy.core.kubernetes import Site, WeightsVolume, kubernetes_place
from dsdeploy.core.texts import Malformed
from dsdeploy.core.values import WeightFile
from dsdeploy.stages.render_kubernetes import render_kubernetes
from tests.chart.deployments import SITE, deployment, launch

FILES = (WeightFile("m.safetensors", 10, "a" * 64),)
ONE = deployment("m", "vllm", 2, 1)
FOUR = deployment("m", "vllm", 8, 4)


def rendered(chosen=ONE, *, start=None, worker=None, files=FILES, site=SITE) -> dict:
    start = start or launch(kubernetes_place(chosen), "vllm")
    made = render_kubernetes(chosen, start, worker, files, site, "the plan\n", users=300)
    assert [one.path for one in made.files] == ["plan.yaml", "values.yaml"]
    return yaml.safe_load(made.files[1].content)


def expanded(word: str, variables: dict[str, str]) -> str:
    """As Kubernetes expands a container's words: https://kubernetes.io/docs/tasks/inject-data-application/."""
    out, rest = "", word
    while rest:
        if rest.startswith("$$"):
            out, rest = out + "$", rest[2:]
        elif rest.startswith("$(") and ")" in rest:
            name, _, left = rest[2:].partition(")")
            out, rest = out + variables.get(name, f"$({name})"), left
        else:
            out, rest = out + rest[0], rest[1:]
    return out


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])), min_size=1, max_size=4))
def test_words_reach_the_engine_as_they_were_meant(words):
    start = replace(launch(kubernetes_place(ONE), "vllm"), argv=tuple(words), environment={"A": words[0]})
    node = rendered(start=start)["engine"]["leader"]
    assert [expanded(one, {"HOME": "/cache", "A": "no"}) for one in node["argv"]] == words
    assert expanded(node["env"]["A"], {}) == words[0]


def test_workers_are_told_their_leader_and_rank_by_the_cluster():
    values = rendered(FOUR, worker=launch(kubernetes_place(FOUR, worker=True), "vllm"))
    assert values["engine"]["leader"]["argv"][3:6] == ["0", "--to", "$(LWS_LEADER_ADDRESS)"]
    argv = [
        expanded(one, {"LWS_WORKER_INDEX": "3", "LWS_LEADER_ADDRESS": "r-0"})
        for one in values["engine"]["worker"]["argv"]
    ]
    assert argv == ["serve", "/weights", "--rank", "3", "--to", "r-0", "--is", "$5 $(A)"]
    assert values["parallelism"] == {"tensor": 8, "pipeline": 4, "data": 1, "nodes": 4, "devicesPerNode": 8}


def test_a_user_that_is_looked_up_is_named():
    start = launch(kubernetes_place(ONE), "vllm")
    assert [rendered(start=replace(start, looked_up=one))["engine"]["userEntry"] for one in (True, False)] == [
        True,
        False,
    ]


def test_numbers_in_words_stay_words_for_a_reader_of_yaml_1_2():
    start = replace(launch(kubernetes_place(ONE), "vllm"), argv=("1e5", "08", "0o7", "yes", "null"))
    content = render_kubernetes(ONE, start, None, FILES, SITE, "", users=1).files[1].content
    for word in start.argv:
        assert f'- "{word}"\n' in content


def test_an_image_is_taken_apart():
    site = replace(
        SITE, engine_image="localhost/a/b:v1.2@sha256:" + "0" * 64, gateway_image="vllm/c@sha256:" + "1" * 64
    )
    assert rendered(site=site)["image"] == {
        "engine": {"registry": "localhost", "repository": "a/b", "digest": "sha256:" + "0" * 64, "tag": "v1.2"},
        "gateway": {"registry": "", "repository": "vllm/c", "digest": "sha256:" + "1" * 64, "tag": ""},
    }


def test_a_vendors_build_of_vllm_is_watched_as_vllm():
    assert rendered(replace(ONE, engine="vllm-ascend"))["engine"]["name"] == "vllm"


def test_a_cpu_engine_asks_for_no_device():
    chosen = replace(ONE, accelerator="cpu", devices_per_node=0, tensor_parallel=1)
    assert rendered(chosen)["accelerator"] == {"mode": "none"}


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        (WeightsVolume("pvc", "c"), {"source": "pvc", "claim": {"existingName": "c"}}),
        (
            WeightsVolume("pvc", create_bytes=20, storage_class="s"),
            {
                "source": "pvc",
                "claim": {"create": True, "sizeBytes": 20, "storageClassName": "s", "accessMode": "ReadOnlyMany"},
            },
        ),
        (WeightsVolume("hostPath", "/srv/w"), {"source": "hostPath", "hostPath": "/srv/w"}),
    ],
)
def test_weights_come_from_where_the_site_has_them(volume, expected):
    values = rendered(site=replace(SITE, weights=volume))
    assert expected.items() <= values["weights"].items()
    assert values["policy"]["podSecurity"] == ("privileged" if volume.source == "hostPath" else "restricted")


def test_an_image_volume_cannot_hold_a_stamp_and_is_hashed_whole():
    volume = WeightsVolume("image", "r.site/w@sha256:" + "0" * 64)
    assert rendered(site=replace(SITE, weights=volume))["weights"]["verify"]["policy"] == "full"


@pytest.mark.parametrize(
    ("id", "made"),
    [
        ("image-without-digest", lambda: rendered(site=replace(SITE, engine_image="vllm/vllm-openai:latest"))),
        ("weights-without-digest", lambda: rendered(files=(WeightFile("m", 1, ""),))),
        ("worker-launch-missing", lambda: rendered(FOUR)),
        ("resource-unknown", lambda: rendered(start=replace(launch(kubernetes_place(ONE), "vllm"), resource=None))),
    ],
)
def test_what_cannot_be_rendered_is_named(id, made):
    with pytest.raises(RenderError) as refused:
        made()
    assert refused.value.message.id == id and refused.value.hint.render("zh")


def test_a_resource_that_is_not_known_is_taken_from_the_plan():
    start = replace(launch(kubernetes_place(ONE), "vllm"), resource=None)
    assert rendered(replace(ONE, resource="site/npu"), start=start)["accelerator"]["resourceName"] == "site/npu"


CREATED = WeightsVolume("pvc", create_bytes=10**12, access_mode="ReadWriteOnce")


@pytest.mark.parametrize(
    ("field", "wanted", "deployment", "site"),
    [
        ("weights.source", "pvc | image | hostPath", ONE, {"weights": WeightsVolume("nfs", "w")}),
        ("weights.source", "pvc", ONE, {"weights": WeightsVolume("hostPath", "/w", load=True)}),
        ("weights.name", "weights.name", ONE, {"weights": WeightsVolume("hostPath")}),
        ("weights.name", "weights.name | weights.create_bytes", ONE, {"weights": WeightsVolume("pvc")}),
        ("weights.name", '""', ONE, {"weights": replace(CREATED, name="c")}),
        ("weights.create_bytes", "≥ 10", ONE, {"weights": replace(CREATED, create_bytes=1)}),
        ("weights.access_mode", "ReadOnlyMany | ReadWriteMany", replace(ONE, replicas=2), {"weights": CREATED}),
        ("spare_devices", "false", FOUR, {"spare_devices": True}),
        ("device_class", '""', replace(ONE, accelerator="cpu"), {"device_class": "gpu.nvidia.com"}),
        ("values.engine.replicas", "1", ONE, {"values": {"engine": {"replicas": 2}}}),
        ("values.weights.claim", '{"existingName": "deepseek"}', ONE, {"values": {"weights": {"claim": "other"}}}),
    ],
)  # fmt: skip
def test_a_site_that_contradicts_the_plan_is_named_before_anything_is_asked(field, wanted, deployment, site):
    with pytest.raises(RenderError) as refused:
        rendered(deployment, site=replace(SITE, **site))
    assert refused.value.message.id == "site-contradicts"
    assert {"field": field, "wanted": wanted}.items() <= refused.value.message.values.items()


def test_devices_are_claimed_of_a_class_where_the_site_has_one():
    made = rendered(site=replace(SITE, device_class="gpu.nvidia.com"))["accelerator"]
    assert (made["mode"], made["dra"]) == ("dra", {"deviceClassName": "gpu.nvidia.com"})
    assert "resourceName" not in made


def test_further_values_are_read_as_they_stand_and_are_a_mapping():
    more = {"rdma": {"hca": "mlx5", "gidIndex": 3}, "scheduling": {"tolerations": [{"key": "a"}]}}
    assert from_document(Site, {**to_document(SITE), "values": more}).values == more
    with pytest.raises(Malformed):
        from_document(Site, {**to_document(SITE), "values": ["rdma"]})


def test_a_site_may_give_the_values_about_which_the_plan_says_nothing():
    more = {"scheduling": {"priorityClassName": "high"}, "gateway": {"ingress": {"enabled": True}}}
    values, plain = rendered(site=replace(SITE, values=more)), rendered()
    assert values["scheduling"] == more["scheduling"]
    assert values["gateway"] == {**plain["gateway"], **more["gateway"]}
    assert values["engine"] == plain["engine"]


def test_one_key_may_stand_for_all_planned_users():
    """A portal has one key and one address: 300 people through it are not too many."""
    content = render_kubernetes(ONE, launch(kubernetes_place(ONE), "vllm"), None, FILES, SITE, "", users=300).files[1]
    limits = yaml.safe_load(content.content)["gateway"]["limits"]
    assert limits["concurrentPerKey"] >= 300 and limits["ratePerMinute"] >= 300 * 60
    assert limits["connectionsPerSource"] >= 1024 and limits["maxBodyBytes"] >= 10 * 2**20
