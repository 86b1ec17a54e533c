"""Words that start an engine with the key of a file, where its own options would put the key into every `ps`.

vLLM reads VLLM_API_KEY, which it never logs (it logs --api-key). SGLang knows --api-key alone and logs it with all its
arguments: it is started inside the process that read the key, and the key is struck from its log. Both are handed to
`python3 -c`, so no target has a file to carry.
"""

from pathlib import Path


def key_in_environment(keys_file: str, *command: str) -> tuple[str, ...]:
    """`command` with the first key of `keys_file` in VLLM_API_KEY: never in words, nor in the container's record."""
    return ("python3", "-c", _code("environment"), keys_file, *command)


def key_in_arguments(keys_file: str, module: str, *arguments: str) -> tuple[str, ...]:
    """The Python `module`, run in the same process with the first key of `keys_file` as its --api-key."""
    return ("python3", "-c", _code("argument"), keys_file, module, *arguments)


def _code(name: str) -> str:
    return (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
