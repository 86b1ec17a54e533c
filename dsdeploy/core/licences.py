"""The licences of the catalogue's models, with the duties each brings to whoever runs or passes on the model."""

from dataclasses import dataclass
from typing import Any

from dsdeploy.core.texts import Text, text


@dataclass(frozen=True, slots=True)
class Licence:
    """`source` is where its text stands."""

    name: str
    source: str
    duties: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """One licence that a model is under; `covers` is "code", "weights" or "base_model"."""

    covers: str
    licence_id: str
    licence: Licence


_LLAMA = (
    text("duty-give-copy"),
    text("duty-built-with-llama"),
    text("duty-llama-notice"),
    text("duty-llama-policy"),
    text("duty-llama-700m"),
)
LICENCES = {
    "mit": Licence("MIT License", "https://opensource.org/license/mit", (text("duty-keep-notice"),)),
    "apache-2.0": Licence(
        "Apache License 2.0",
        "https://www.apache.org/licenses/LICENSE-2.0",
        (text("duty-keep-notice"), text("duty-mark-changes"), text("duty-patents-end")),
    ),
    "deepseek-model-1.0": Licence(
        "DeepSeek Model License 1.0",
        "https://github.com/deepseek-ai/DeepSeek-V3/blob/main/LICENSE-MODEL",
        (
            text("duty-deepseek-uses"),
            text("duty-deepseek-pass-on"),
            text("duty-give-copy"),
            text("duty-mark-changes"),
            text("duty-keep-notice"),
            text("duty-prc-law"),
        ),
    ),
    "llama-3.1": Licence("Llama 3.1 Community License", "https://www.llama.com/llama3_1/license/", _LLAMA),
    "llama-3.3": Licence(
        "Llama 3.3 Community License",
        "https://github.com/meta-llama/llama-models/blob/main/models/llama3_3/LICENSE",
        _LLAMA,
    ),
    "gemma": Licence(
        "Gemma Terms of Use",
        "https://ai.google.dev/gemma/terms",
        (text("duty-give-copy"), text("duty-mark-changes"), text("duty-gemma-policy")),
    ),
}


def bindings(model: dict[str, Any]) -> tuple[Binding, ...]:
    """What binds whoever runs this catalogue model: its code, its weights, the model it was made from."""
    named = model.get("licence") or {}
    return tuple(Binding(covers, id, LICENCES[id]) for covers, id in named.items() if id)
