"""Which files of a repository make up its weights: the tensors that a plan's pattern names, and what an engine reads
beside them. A file that is on no list here is never fetched: no pickle, no code.
"""

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from dsdeploy.core.texts import Malformed, text

TENSORS = (".safetensors", ".gguf")
INDEX = "*.safetensors.index.json"
# What vLLM, SGLang and vLLM-Ascend read beside safetensors: configuration, tokenizer, chat template, quantisation.
COMPANIONS = (
    *("config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json", INDEX),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
    *("merges.txt", "tokenizer.model", "*.tiktoken", "chat_template.json", "chat_template.jinja"),
    *("hf_quant_config.json", "quantize_config.json", "quantization_config.json", "quant_model_description*.json"),
)
LICENCE_TEXTS = ("licen[cs]e*", "notice*", "use_policy*", "copying*")
_LICENCE_ENDINGS = ("", ".md", ".txt")
_PART = re.compile(r"-\d{5}-of-\d{5}(?=\.gguf$)")


def tensor_files(names: Iterable[str], pattern: str) -> tuple[str, ...]:
    """The files that match, in reading order; of safetensors only those in the shallowest folder that holds any.

    `pattern` is a shell pattern of a file's name, or of its path when it holds a slash; case is ignored.
    Raises ValueError, which names the file, for one that is neither safetensors nor GGUF or lies outside.
    """
    found = sorted(name for name in names if _matches(name, pattern))
    for name in found:
        if not name.lower().endswith(TENSORS) or not is_plain(name):
            raise ValueError(name)
    if any(name.lower().endswith(".safetensors") for name in found):
        least = min(len(PurePosixPath(name).parts) for name in found)
        found = [name for name in found if len(PurePosixPath(name).parts) == least]
    return tuple(found)


def companion_files(names: Iterable[str], tensors: tuple[str, ...]) -> tuple[str, ...]:
    """Small files to fetch with `tensors`: for safetensors what an engine reads; for both the licence texts."""
    folder = PurePosixPath(tensors[0]).parent
    wanted = COMPANIONS if tensors[0].lower().endswith(".safetensors") else ()
    return tuple(
        name
        for name in sorted(names)
        if is_plain(name)
        and (
            (PurePosixPath(name).parent == folder and _is_one_of(name, wanted))
            or (PurePosixPath(name).parent in (folder, PurePosixPath(".")) and is_licence(name))
        )
    )


def models_among(tensors: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the models that GGUF files make up: parts of one count once. Safetensors are one model."""
    ggufs = [name for name in tensors if name.lower().endswith(".gguf")]
    return tuple(sorted({_PART.sub("", name) for name in ggufs}))


def indexed_files(index: str, folder: str) -> frozenset[str]:
    """The shards that a safetensors index names, as paths of the repository. Raises ValueError."""
    try:
        shards = set(json.loads(index)["weight_map"].values())
    except (KeyError, TypeError, AttributeError) as error:
        raise Malformed(text("reason-missing"), "weight_map") from error
    if any(not isinstance(one, str) or not is_plain(one) for one in shards):
        raise Malformed(text("reason-index-outside"), "weight_map")
    return frozenset((PurePosixPath(folder) / one).as_posix() for one in shards)


def is_plain(name: str) -> bool:
    """A relative path that stays inside."""
    return not name.startswith("/") and "\\" not in name and ".." not in PurePosixPath(name).parts and bool(name)


def is_index(name: str) -> bool:
    return _is_one_of(name, (INDEX,))


def is_licence(name: str) -> bool:
    """Whether that file is a licence, notice or policy to read."""
    return PurePosixPath(name).suffix.lower() in _LICENCE_ENDINGS and _is_one_of(name, LICENCE_TEXTS)


def _matches(name: str, pattern: str) -> bool:
    place = name if "/" in pattern else PurePosixPath(name).name
    return fnmatchcase(place.lower(), pattern.lower())


def _is_one_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(PurePosixPath(name).name.lower(), one) for one in patterns)
