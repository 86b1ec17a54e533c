"""vLLM on Ascend, through Huawei's plugin: the same words, its own quantisation and communication settings."""

from dsdeploy.adapters.engines import judge
from dsdeploy.adapters.engines.surroundings import ascend_access
from dsdeploy.adapters.engines.vllm import hold_vllm, vllm_launch
from dsdeploy.core.deployment import Deployment, Launch, Place
from dsdeploy.core.engines import find_engine
from dsdeploy.core.flags import flag_table
from dsdeploy.core.sizing.runtime import EXPERTS_HCCL_BUFFSIZE_MB

# What vllm-ascend's own nightly runs of DeepSeek-R1 W8A8 set (vllm-project/vllm-ascend@182b75ea,
# tests/e2e/nightly/single_node/models/configs/DeepSeek-R1-0528-W8A8.yaml).
_ENVIRONMENT = {
    "HCCL_BUFFSIZE": str(EXPERTS_HCCL_BUFFSIZE_MB),
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
        """Each release of the plugin goes with the vLLM of the same number, whose options it knows. On the 310P graphs
        can only be captured for few sizes (vllm-project/vllm-ascend@f233dca, tutorials/hardwares/310p.md): it runs
        without."""
        self.refuse(deployment)
        target = judge.target(deployment)
        more = ("--quantization", "ascend") if deployment.format in ("w8a8-int8", "w4a8-int4") else ()
        return vllm_launch(
            deployment,
            place,
            flag_table("vllm", deployment.engine_version),
            find_engine(self.name).image(target, deployment.engine_version),
            ascend_access(target, deployment.nodes),
            (*more, "--enforce-eager") if target == "310p" else more,
            _ENVIRONMENT,
        )
