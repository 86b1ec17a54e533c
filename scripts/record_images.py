"""Records the engine images that gpustack-runner names for accelerators whose makers publish their own builds.

    pip install gpustack-runner==0.1.32.post1 && python scripts/record_images.py

Writes dsdeploy/core/data/images.json: not the deprecated ones, and not those for CUDA, whose engines publish their own.
"""

import importlib.metadata
import json
from pathlib import Path

import gpustack_runner

OUT = Path(__file__).parents[1] / "dsdeploy" / "core" / "data" / "images.json"
SERVICES = ("vllm", "sglang")


def main() -> None:
    listed = json.loads((Path(gpustack_runner.__file__).parent / "runner.py.json").read_text(encoding="utf-8"))
    wanted = [
        one for one in listed if not one["deprecated"] and one["service"] in SERVICES and one["backend"] != "cuda"
    ]
    rows: dict[str, dict] = {}
    for one in wanted:
        row = {
            "engine": one["service"],
            "version": one["service_version"],
            "backend": one["backend"],
            "variant": one["backend_variant"],
        }
        platforms = rows.setdefault(one["docker_image"], row | {"platforms": []})["platforms"]
        if one["platform"] not in platforms:
            platforms.append(one["platform"])
    source = f"gpustack-runner {importlib.metadata.version('gpustack-runner')}, runner.py.json"
    lines = ",\n  ".join(json.dumps({"image": image} | row) for image, row in sorted(rows.items()))
    OUT.write_text(f'{{"source": {json.dumps(source)}, "images": [\n  {lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
