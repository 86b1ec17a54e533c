"""One page that stands alone: no script, no picture, no font from elsewhere; to be read, printed and signed."""

from collections.abc import Callable
from typing import Any

import jinja2
from markupsafe import Markup

from dsdeploy.adapters.reports.page import spoken
from dsdeploy.adapters.reports.plots import Plot, dot_plot
from dsdeploy.adapters.templates import template
from dsdeploy.core.results import Result
from dsdeploy.core.texts import Text, text
from dsdeploy.core.values import Checked, Load, Sample
from dsdeploy.core.verdicts import SIGNS, STATUSES, VERDICTS, shorten, summary

_WORDS = {
    "verdict": text("check-verdict"),
    "facts": text("report-facts"),
    "findings": text("report-findings"),
    "speed": text("report-speed"),
    "result": text("check-column-result"),
    "check": text("check-column-check"),
    "measured": text("check-column-measured"),
    "limit": text("check-column-limit"),
    "message": text("check-column-message"),
    "weights": text("report-weights-digests"),
    "file": text("report-file"),
    "size": text("report-size"),
    "load": text("report-load"),
    "streams": text("report-load-count"),
    "total": text("report-load-total"),
    "overhead": text("report-load-overhead"),
    "plot_note": text("report-plot-note"),
    "sign": text("report-sign"),
}


def render_html(result: Result[Checked], language: str) -> str:
    checked = result.data
    return render_page(
        "report.html.j2",
        language,
        words=_WORDS,
        hint=lambda hint: text("report-hint", hint=hint),
        shorten=shorten,
        title=text("report-title", name=checked.release.name),
        checked=checked,
        facts=_facts(checked),
        signs=SIGNS,
        statuses=STATUSES,
        verdict=VERDICTS[checked.verdict],
        summary=summary(checked),
        loads=[(_at_once(load), load) for load in checked.loads],
        plots=_plots(checked.loads, language),
    )


def render_page(name: str, language: str, **values: Any) -> str:
    """A page from its template, with the reports' common style; `say` speaks a Text in the reader's language."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["say"] = lambda one: spoken(one, language)
    style = Markup(template("report.css"))
    lang = "zh-CN" if language == "zh" else "en"
    return environment.from_string(template(name)).render(language=lang, style=style, **values)


def _facts(checked: Checked) -> list[tuple[Text, str | Text]]:
    release = checked.release
    context = text("report-users-value", users=release.users, tokens=f"{release.context_tokens:,}")
    return [
        (text("release"), f"{release.name} (#{release.revision})"),
        (text("model"), f"{release.model_id} {release.format}"),
        (text("report-users"), context),
        (text("target"), release.target),
        (text("address"), f"{release.url}/v1"),
        (text("report-installed"), release.installed_at),
        (text("report-time"), checked.checked_at),
        (text("report-tool"), f"dsdeploy {checked.tool_version}"),
        (text("report-plan-digest"), release.plan_sha256),
    ]


def _plots(loads: tuple[Load, ...], language: str) -> list[tuple[Text, Plot]]:
    def plot(value: Callable[[Sample], float | None]) -> Plot | None:
        rows = [(_at_once(load).render(language), [value(one) for one in load.samples]) for load in loads]
        return dot_plot([(label, [one for one in many if one is not None]) for label, many in rows])

    plots = (
        (text("report-first-token"), plot(lambda one: one.first_s * 1000)),
        (text("report-rate"), plot(lambda one: one.tokens_per_s)),
    )
    return [(title, one) for title, one in plots if one is not None]


def _at_once(load: Load) -> Text:
    return text("report-at-once", count=load.at_once)
