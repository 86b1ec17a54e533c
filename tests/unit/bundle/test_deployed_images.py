"""An image that a deployment names and a bundle lacks is found before the gap, not inside it."""

import pytest

from dsdeploy.core.bundle.deployed_images import images_named, lacking
from dsdeploy.core.bundle.values import BundleImage
from dsdeploy.core.errors import ImageNotNamed
from dsdeploy.core.values import RenderedFile, RenderedFiles
from dsdeploy.stages.bundle.gather import Gathered, judge_images

ID = "4" * 64
COMPOSE = f"""
services:
  engine: {{image: "sha256:{ID}", command: [a]}}
  gate: {{image: "nginx:1.29"}}
  prometheus: {{image: "${{PROMETHEUS_IMAGE:-not-given}}", profiles: [monitoring]}}
"""
VALUES = """
engine:
  image: {registry: quay.io, repository: ascend/vllm-ascend, tag: v0.22}
gateway:
  image: {repository: dsdeploy/gateway, digest: "sha256:1"}
pods:
- containers:
  - image: docker.io/vllm/vllm-openai:v0.22@sha256:2
"""


def rendered(content: str) -> RenderedFiles:
    return RenderedFiles("x", (RenderedFile("a.yaml", content), RenderedFile("notes.txt", "image: never")))


def image(*references: str) -> BundleImage:
    return BundleImage("images/x.tar", references, ID)


def test_every_way_of_naming_an_image_is_seen():
    assert images_named(rendered(COMPOSE)) == (f"sha256:{ID}", "nginx:1.29")
    assert images_named(rendered(VALUES + "---\n" + VALUES)) == (
        "quay.io/ascend/vllm-ascend:v0.22",
        "dsdeploy/gateway@sha256:1",
        "docker.io/vllm/vllm-openai:v0.22@sha256:2",
    )


@pytest.mark.parametrize(
    ("named", "held"),
    [
        (f"sha256:{ID}", "other:1"),
        ("nginx:1.29", "docker.io/library/nginx:1.29"),
        ("docker.io/vllm/vllm-openai:v0.22@sha256:2", "vllm/vllm-openai:v0.22"),
        ("busybox", "busybox:latest"),
        ("vllm/vllm-openai@sha256:2", "sha256:2"),
        ("sha256:2", "sha256:2"),
        ("localhost:5000/a", "localhost:5000/a:latest"),
    ],
)
def test_an_image_answers_to_its_names_and_its_id(named, held):
    assert lacking((named,), (image(held),)) == ()


@pytest.mark.parametrize("named", ["nginx:1.30", "other/nginx:1.29", "sha256:" + "5" * 64, "nginx@sha256:1"])
def test_one_that_is_not_there_fails_the_build(named):
    with pytest.raises(ImageNotNamed) as error:
        judge_images((named,), Gathered((), (), (image("nginx:1.29"),)))
    assert named in error.value.message.render("en")
