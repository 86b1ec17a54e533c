"""Words that start an engine with the key of a file, where its own options would put the key into every `ps`.

vLLM reads VLLM_API_KEY, which it never logs (it logs --api-key). SGLang knows --api-key alone and logs it with all its
arguments: it is started inside the process that read the key, and the key is struck from its log. Both are handed to
`python3 -c`, so no target has a file to carry.

With a `peer`, another node, the engine is also told by which address and interface that one is reached. Left alone,
vLLM and SGLang ask which address leads to 8.8.8.8: none where a closed site has no default route, and vLLM then tells
its other nodes 0.0.0.0. Gloo asks what the host's own name means: 127.0.1.1 on Debian.

With `cann`, what the entrypoint of an image made from CANN's sources first is sourced, since these words stand in its
place: from CANN 8.5 on, the compiler of Triton's kernels is in no PATH without (Ascend/cann-container-image@c5a67b3,
cann/9.0.0-910b-ubuntu22.04-py3.11/Dockerfile). The process then becomes itself again: the loader reads LD_LIBRARY_PATH
at a start alone.
"""

from pathlib import Path


def key_in_environment(keys_file: str, *command: str, peer: str = "", cann: bool = False) -> tuple[str, ...]:
    """`command` with the first key of `keys_file` in VLLM_API_KEY: never in words, nor in the container's record."""
    return (*_python("environment", peer, cann), keys_file, *command)


def key_in_arguments(
    keys_file: str, module: str, *arguments: str, peer: str = "", cann: bool = False
) -> tuple[str, ...]:
    """The Python `module`, run in the same process with the first key of `keys_file` as its --api-key."""
    return (*_python("argument", peer, cann), keys_file, module, *arguments)


def _python(name: str, peer: str, cann: bool) -> tuple[str, ...]:
    files = (*(("cann",) if cann else ()), *(("network",) if peer else ()), name)
    code = "\n".join((Path(__file__).parent / f"{one}.py").read_text(encoding="utf-8") for one in files)
    return ("python3", "-c", code, *((peer,) if peer else ()))
