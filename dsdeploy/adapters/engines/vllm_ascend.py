"""vLLM on Ascend, through Huawei's plugin: the same words, its own quantisation and communication settings."""

from dsdeploy.adapters.engines import judge
from dsdeploy.adapters.engines.surroundings import ACCESS, ASCEND_310P
from dsdeploy.adapters.engines.vllm import hold_vllm, vllm_launch
from dsdeploy.core.deployment import Deployment, Launch, Place
from dsdeploy.core.engines import find_engine
from dsdeploy.core.flags import flag_table

# What vllm-ascend's own nightly runs of DeepSeek-R1 W8A8 set (vllm-project/vllm-ascend@182b75ea,
# tests/e2e/nightly/single_node/models/configs/DeepSeek-R1-0528-W8A8.yaml).
_ENVIRONMENT = {
    "HCCL_BUFFSIZE": "1024",
    "OMP_NUM_THREADS": "10",
    "OMP_PROC_BIND": "false",
    "PYTORCH_NPU_ALLOC_CONF": "expandable_segments:True",
}


class VllmAscend:
    name = "vllm-ascend"

    def refuse(self, deployment: Deployment) -> None:
        spec = find_engine(self.name)
        hold_vllm(deployment, spec, spec.versions)

    def launch(self, deployment: Deployment, place: Place) -> Launch:
        """Each release of the plugin goes with the vLLM of the same number, whose options it knows."""
        self.refuse(deployment)
        target = judge.target(deployment)
        quantised = deployment.format in ("w8a8-int8", "w4a8-int4")
        return vllm_launch(
            deployment,
            place,
            flag_table("vllm", deployment.engine_version),
            find_engine(self.name).image(target, deployment.engine_version),
            ASCEND_310P if target == "310p" else ACCESS["ascend"],
            ("--quantization", "ascend") if quantised else (),
            _ENVIRONMENT,
        )
