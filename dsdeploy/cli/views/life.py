"""What became of an upgrade or rollback, and what was packed for whoever helps."""

from dsdeploy.cli.views.check import checked_rows
from dsdeploy.cli.views.table import Table
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text
from dsdeploy.core.values import Packed, Upgraded

_MODES = {"beside": text("upgrade-beside"), "in-place": text("upgrade-in-place")}


def upgraded_rows(upgraded: Upgraded, language: str) -> Table:
    def say(id: str) -> str:
        return text(id).render(language)

    if upgraded.restored:
        outcome = "outcome-restored"
    elif upgraded.changed:
        outcome = "outcome-changed"
    else:
        outcome = "outcome-planned" if upgraded.operations else "outcome-unchanged"
    before, after = upgraded.before, upgraded.release
    revisions = f"#{before.revision} → #{after.revision}" if before.revision != after.revision else f"#{after.revision}"
    rows: list[tuple[str, ...]] = [
        (say("outcome"), say(outcome)),
        (say("release"), f"{after.name} ({revisions})"),
        (say("model"), f"{after.model_id} {after.format}"),
    ]
    if outcome != "outcome-unchanged":
        rows.append((say("upgrade-way"), _MODES[upgraded.mode].render(language)))
    if outcome == "outcome-planned":
        for number, step in enumerate(upgraded.operations, 1):
            rows.append((text("step", number=number).render(language), step.text.render(language)))
    elif upgraded.checked is not None:
        for sign, id, words in checked_rows(upgraded.checked, language)[1]:
            if not sign.startswith(("✔ ", "– ")):
                rows.append((f"{sign} {id}", words))
    return (say("field"), say("value")), rows


def log_rows(lines: tuple[str, ...], language: str) -> Table:
    return ("",), [(one,) for one in lines]


def support_rows(packed: Packed, language: str) -> Table:
    head = (text("field").render(language), text("value").render(language))
    return head, [
        (text("report-file").render(language), packed.path),
        (text("size").render(language), size_words(packed.size_bytes)),
        (text("support-files").render(language), "\n".join(packed.files)),
        (text("support-redacted").render(language), f"{packed.redacted:,}"),
        (text("support-look").render(language), text("support-look-words").render(language)),
    ]
