"""What each inference engine runs where, as its own documents say."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from dsdeploy.core.errors import UnknownEngine
from dsdeploy.core.texts import text

# Asked for by name, and left out for reasons that stand in docs/adr 0032 and 0033.
_LEFT_OUT = {
    "ktransformers": text("engine-without-ktransformers"),
    "kt-kernel": text("engine-without-ktransformers"),
    "mindie": text("engine-without-mindie"),
}


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """`versions` are those whose options and formats were read, `versions_on` those for beginnings of targets whose
    image is of another release. On targets in `tensor_alone` it is split by tensors alone. `runs` maps an accelerator's
    target (sm90, gfx942, 910b, cpu …) to weight formats. A target that is missing is one that the engine's documents do
    not name. `images` maps the beginning of a target to the image that the engine's makers publish, with {version} in
    its place."""

    name: str
    versions: tuple[str, ...]
    runs: dict[str, tuple[str, ...]]
    sources: tuple[str, ...]
    images: dict[str, str]
    versions_on: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tensor_alone: tuple[str, ...] = ()
    weights_as: dict[str, str] = field(default_factory=dict)

    def versions_for(self, target: str) -> tuple[str, ...]:
        found = _longest(self.versions_on, target)
        return self.versions_on[found] if found else self.versions

    def made_for(self, engines: tuple[str, ...], target: str) -> bool:
        """Whether weights that name these engines, none for all, are this engine's here. What ModelSlim made is read on
        Ascend alone: there `weights_as` gives the engine another name."""
        return not engines or self.weights_as.get(target, self.name) in engines

    def image(self, target: str, version: str) -> str | None:
        """Repository and tag for this target, None where the makers publish none."""
        found = _longest(self.images, target)
        return self.images[found].format(version=version) if found else None


def _longest(beginnings: Iterable[str], target: str) -> str | None:
    return max((one for one in beginnings if target.startswith(one)), key=len, default=None)


@cache
def engines() -> tuple[EngineSpec, ...]:
    content = json.loads((Path(__file__).parent / "data" / "engines.json").read_text(encoding="utf-8"))
    return tuple(
        EngineSpec(
            one["name"],
            tuple(one["versions"]),
            {target: tuple(formats) for target, formats in one["runs"].items()},
            tuple(one["sources"]),
            one["images"],
            {target: tuple(versions) for target, versions in one.get("versions_on", {}).items()},
            tuple(one.get("tensor_alone", ())),
            one.get("weights_as", {}),
        )
        for one in content["engines"]
    )


def find_engine(name: str) -> EngineSpec:
    """The engine with this name, in any case. Raises UnknownEngine, which names the nearest, or what serves instead."""
    by_name = {engine.name: engine for engine in engines()}
    if found := by_name.get(name.lower()):
        return found
    if instead := _LEFT_OUT.get(name.lower()):
        raise UnknownEngine(text("engine-left-out", name=name), hint=instead)
    near = get_close_matches(name.lower(), by_name, n=2, cutoff=0.5) or by_name
    raise UnknownEngine(text("unknown-engine", name=name), hint=text("unknown-engine-hint", near=", ".join(near)))
