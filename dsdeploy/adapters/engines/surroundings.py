"""What surrounds an engine's process: offline always, caches in one writable folder, devices as each vendor wants."""

from dataclasses import dataclass, replace

from dsdeploy.core.deployment import Deployment

GIB = 1 << 30

# Read by huggingface_hub, transformers, datasets, vLLM (vllm/envs.py) and Ray; DO_NOT_TRACK by several.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def caches(writable: str) -> dict[str, str]:
    """Every folder that an engine or its compilers write to, below `writable`.

    A user id without an entry in passwd has no home and no name: torch's compiler asks for both.
    """
    below = {
        "XDG_CACHE_HOME": "xdg",
        "XDG_CONFIG_HOME": "config",
        "HF_HOME": "huggingface",
        "TRITON_CACHE_DIR": "triton",
        "TORCHINDUCTOR_CACHE_DIR": "inductor",
        "VLLM_CACHE_ROOT": "vllm",
        "VLLM_CONFIG_ROOT": "vllm-config",
        "SGLANG_CACHE_DIR": "sglang",
        "SGLANG_DG_CACHE_DIR": "deep_gemm",
        "FLASHINFER_WORKSPACE_BASE": "flashinfer",
        "DG_JIT_CACHE_DIR": "deep_gemm",
        "CUDA_CACHE_PATH": "cuda",
        "NUMBA_CACHE_DIR": "numba",
    }
    names = {"HOME": writable, "USER": "dsdeploy", "LOGNAME": "dsdeploy"}
    return names | {variable: f"{writable}/{folder}" for variable, folder in below.items()}


@dataclass(frozen=True, slots=True)
class Access:
    """How a container reaches a vendor's devices, and which: by the `{n}` in a device node, each one's number, or by
    the variable `visible`, a list of them, that the runtime or the vendor's libraries read."""

    resource: str
    devices: tuple[str, ...] = ()
    visible: str | None = None
    runtime: str | None = None
    mounts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    looked_up: bool = False


# NVIDIA container toolkit; ROCm's "Run Docker containers" and "GPU isolation techniques"; vllm-ascend's installation
# page; device nodes and variables of the other vendors as gpustack-runtime asks for them (88026d6, envs.py and
# deployer/cdi), Moore Threads' as torch_musa's FAQ writes it, Level Zero's affinity mask; resource names as in
# core/data/node_resources.json.
# The number in /dev/dri/renderD is the kernel's own, which no vendor's tool tells: there a variable chooses.
# Ascend's devices belong to the driver's group HwHiAiUser, which Huawei asks to be 1000 where containers run; HCCL does
# not start for a user that /etc/passwd does not name (vllm-project/vllm-ascend #9490).
_ASCEND = Access(
    resource="huawei.com/Ascend910",
    devices=("/dev/davinci{n}", "/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc"),
    mounts=(
        "/usr/local/dcmi",
        "/usr/local/bin/npu-smi",
        "/usr/local/Ascend/driver/lib64",
        "/usr/local/Ascend/driver/version.info",
        "/etc/ascend_install.info",
    ),
    groups=("1000",),
    looked_up=True,
)
ACCESS = {
    "nvidia": Access("nvidia.com/gpu", runtime="nvidia"),
    "amd": Access("amd.com/gpu", ("/dev/kfd", "/dev/dri"), "HIP_VISIBLE_DEVICES", groups=("video", "render")),
    "ascend": _ASCEND,
    "hygon": Access(
        "hygon.com/dcu",
        ("/dev/kfd", "/dev/mkfd", "/dev/dri"),
        "HIP_VISIBLE_DEVICES",
        mounts=("/opt/hyhal",),
        groups=("video",),
    ),
    "metax": Access("metax-tech.com/gpu", ("/dev/mxcd", "/dev/dri"), "CUDA_VISIBLE_DEVICES", groups=("video",)),
    "mthreads": Access("mthreads.com/gpu", visible="MTHREADS_VISIBLE_DEVICES", runtime="mthreads"),
    "iluvatar": Access("iluvatar.com/gpu", visible="IX_VISIBLE_DEVICES", runtime="iluvatar"),
    "thead": Access("alibabacloud.com/ppu", ("/dev/alixpu", "/dev/alixpu_ctl", "/dev/alixpu_ppu{n}")),
    "intel": Access("gpu.intel.com/xe", ("/dev/dri",), "ZE_AFFINITY_MASK", groups=("video", "render")),
}


def ascend_access(target: str, nodes: int) -> Access:
    """Between nodes HCCL reads the addresses of the NPUs' own network from a file of the host (vllm-project/vllm-ascend
    @4788df7, docs/source/tutorials/models/DeepSeek-R1.md)."""
    access = replace(_ASCEND, resource="huawei.com/Ascend310P") if target == "310p" else _ASCEND
    return replace(access, mounts=(*access.mounts, "/etc/hccn.conf")) if nodes > 1 else access


# RDMA pins its buffers; NCCL's and the vendors' documents ask for no limit, and for a stack of 64 MiB.
ULIMITS = {"memlock": -1, "stack": 64 << 20, "nofile": 1 << 20}


def shm_bytes(deployment: Deployment) -> int:
    """Room for the ranks of one node: SGLang's documents give 32 GiB to eight devices, one needs little."""
    return (32 if deployment.devices_per_node > 1 else 4) * GIB
