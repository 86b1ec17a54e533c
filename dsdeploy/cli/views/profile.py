"""A machine, as a table."""

from collections import Counter
from typing import Any

from dsdeploy.cli.views.table import Table, gib
from dsdeploy.core.findings import Finding
from dsdeploy.core.machines import Profile
from dsdeploy.core.texts import text


def profile_rows(profile: Profile, language: str) -> Table:
    def say(id: str, **values: Any) -> str:
        return text(id, **values).render(language)

    unknown = say("unknown")
    runtimes = [
        f"{one.name} {one.version}" if one.version else say("runtime-silent", name=one.name)
        for one in profile.container_runtimes
    ]
    devices = [f"{one.index}: {one.name}, {gib(one.memory_bytes, language)}" for one in profile.accelerators]
    rows: list[tuple[str, ...]] = [
        (say("host"), profile.hostname),
        (say("kernel"), profile.kernel),
        (say("cpu"), say("cpu-value", model=profile.cpu_model or unknown, threads=profile.cpu_threads)),
        (say("numa"), unknown if profile.numa_nodes is None else str(profile.numa_nodes)),
        (
            say("memory"),
            say(
                "memory-value",
                total=gib(profile.memory_bytes, language),
                available=gib(profile.memory_available_bytes, language),
            ),
        ),
    ]
    for disk in profile.disks:
        free, total = gib(disk.free_bytes, language), gib(disk.total_bytes, language)
        rows.append(
            (say("disk", path=disk.path), say("disk-value", free=free, total=total, filesystem=disk.filesystem))
        )
    rows.append((say("runtimes"), "\n".join(runtimes) or say("none")))
    rows.append((say("accelerators"), "\n".join(devices) or say("none")))
    if kinds := Counter(one.kind for one in profile.links):
        rows.append((say("links"), "\n".join(f"{count} × {kind}" for kind, count in kinds.most_common())))
    rows += [(f"{one.id}: {one.status}", finding_words(one, language)) for one in profile.findings]
    return (say("field"), say("value")), rows


def finding_words(finding: Finding, language: str) -> str:
    words = (finding.message, finding.hint) if finding.hint else (finding.message,)
    return "\n".join(one.render(language) for one in words)
