"""A release whose engine is the liar: installed by hand, kept by the real supervisor, checked by the real checks."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from dsdeploy import workflows
from dsdeploy.adapters import health
from dsdeploy.adapters.releases import load_release, save_release
from dsdeploy.adapters.revisions import save_revision
from dsdeploy.adapters.targets import find_target
from dsdeploy.core.band import Band
from dsdeploy.core.layout import Layout
from dsdeploy.core.progress import SILENT
from dsdeploy.core.values import (
    Disk,
    PlannedSpeed,
    Profile,
    Release,
    RenderedFile,
    RenderedFiles,
    Request,
    WeightFile,
    Weights,
)
from dsdeploy.stages.check import Selection
from dsdeploy.stages.plan import choose_plan, save_plan
from tests.program import free_port, wait_until

SUPERVISOR = Path(__file__).parents[2] / "dsdeploy/adapters/targets/process/supervisor.py"
LIAR = Path(__file__).with_name("liar.py")
MODEL = "deepseek-r1-distill-qwen-1.5b"
ROOT = {"runs-without-root"} if os.getuid() == 0 else set()
HERE = ROOT | {"clock-kept", "disk-reads-fast", "host-limits-wide"}  # what this machine is, no test can change
SLOW = ("speed", "quality")
EVER = Band(0.0, 1.0, 1e9)
ANY_SPEED = PlannedSpeed(1, EVER, EVER, EVER)


class Site:
    """An installed release whose engine is the liar, kept by the real supervisor."""

    def __init__(self, home: Path, fault: str, model: str = MODEL) -> None:
        self.layout = Layout(home)
        folder = home / "releases/default"
        (folder / "run").mkdir(parents=True)
        (folder / "secrets").mkdir(mode=0o700)
        self.keys, self.plan = folder / "secrets/api-keys", folder / "plan.yaml"
        self.keys.write_text("dsk-right-key\n")
        self.keys.chmod(0o600)
        self.weights = home / "model.gguf"
        self.weights.write_bytes(b"weights")
        files = (WeightFile("model.gguf", 7, hashlib.sha256(b"weights").hexdigest()),)
        memory = 64 * 2**30
        profile = Profile("h", "Linux", None, 4, 4, 1, memory, memory, (Disk("/", "ext4", memory, memory),), (), ())
        port = free_port()
        plan = choose_plan(Request(MODEL, 3, 256, port=port), profile)
        save_plan(replace(plan, speed=ANY_SPEED), self.plan)
        orders = [sys.executable, str(LIAR), str(port), str(self.keys), model, fault, plan.deployment.engine_version]
        given = plan.engine_arguments if fault != "other-flags" else plan.engine_arguments[:-1]
        quiet = () if fault == "telemetry" else ("--offline",)
        rendered = RenderedFile("run/service.json", json.dumps({"argv": [*orders, *given, *quiet]}))
        (folder / rendered.path).write_text(rendered.content)
        release = Release(
            "default", "process", model, "gguf", 256, 3, "127.0.0.1", port,
            hashlib.sha256(self.plan.read_bytes()).hexdigest(), str(folder),
            Weights(model, "gguf", "directory", None, str(home), files), 1, "installed", "2026-01-01",
        )  # fmt: skip
        save_release(release)
        self.rendered = RenderedFiles("process", (rendered,))
        save_revision(release, self.rendered)
        self.keeper = subprocess.Popen([sys.executable, "-I", str(SUPERVISOR), str(folder), "-"])
        wait_until(lambda: self.answers() or (fault == "unhealthy" and self.engine_pid() is not None))

    @property
    def release(self):
        return load_release(self.layout, None)

    def take_plan(self):
        """As if what lies there had been installed."""
        save_release(replace(self.release, plan_sha256=hashlib.sha256(self.plan.read_bytes()).hexdigest()))

    def answers(self):
        return health.answers(self.release)

    def engine_pid(self):
        return find_target("process").observe(self.release).engine_pid

    def check(self, **selection):
        result = workflows.check(self.layout, None, Selection(**selection), None, "en", SILENT, strict=False)
        findings = {one.id: one.status for one in result.data.findings}
        assert "check-broke" not in findings, result.data.findings
        return result, findings

    def faulty(self, **selection):
        _, found = self.check(**selection)
        return {id for id, status in found.items() if status in ("fail", "warn")} - HERE

    def close(self):
        self.keeper.terminate()
        self.keeper.wait(30)
