"""One page that stands alone: no script, no picture, no font from elsewhere; to be read, printed and signed."""

from collections.abc import Callable
from typing import Any

import jinja2
from markupsafe import Markup

from dsdeploy.adapters.reports.page import spoken
from dsdeploy.adapters.reports.plots import Comparison, Curve, Plot, comparisons, curve, dot_plot
from dsdeploy.adapters.templates import template
from dsdeploy.core.checks import GROUPS, check_facts, group_of
from dsdeploy.core.controls import frameworks_of, judge_controls, judge_rules
from dsdeploy.core.percentiles import percentile
from dsdeploy.core.results import Result
from dsdeploy.core.texts import Text, text
from dsdeploy.core.values import Checked, Finding, Load, Sample
from dsdeploy.core.verdicts import GROUP_WORDS, SIGNS, STATUSES, VERDICTS, not_compared, shorten, summary

_WORDS = {
    "verdict": text("check-verdict"),
    "facts": text("report-facts"),
    "findings": text("report-findings"),
    "speed": text("report-speed"),
    "result": text("check-column-result"),
    "check": text("check-column-check"),
    "measured": text("check-column-measured"),
    "took": text("check-column-took"),
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
    "throughput": text("report-throughput"),
    "at_once": text("report-users-at-once"),
    "compared": text("report-compared"),
    "compared_note": text("report-compared-note"),
    "curve_note": text("report-curve-note"),
    "controls": text("report-controls"),
    "controls_note": text("report-controls-note"),
    "control": text("report-control"),
    "rules": text("report-rules"),
    "rule": text("report-rule"),
    "from_memory": text("report-from-memory"),
    "held_against": text("report-held-against"),
    "evidence": text("report-evidence"),
    "source": text("report-source"),
    "changes": text("report-changes"),
    "before": text("report-before"),
    "after": text("report-after"),
}
_STATES = {
    "evidence": text("control-evidence"),
    "partial": text("control-partial"),
    "open": text("control-open"),
    "unseen": text("control-unseen"),
    "site": text("control-site"),
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
        curve=_curve(checked),
        compared=_compared(checked, language),
        groups=_groups(checked),
        changes=checked.changes,
        not_compared=not_compared(checked),
        frameworks=[
            (one, judge_controls(one, checked.findings))
            for one in frameworks_of(checked.industry, checked.release.target)
        ],
        rules=judge_rules(checked.industry, checked.findings),
        states=_STATES,
        word="zh" if language == "zh" else "en",
        truths={id: one.truth for id, one in check_facts().items()},
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


def _groups(checked: Checked) -> list[tuple[Text, tuple[Finding, ...]]]:
    """Findings by group, in the order of groups; empty groups are left out."""
    by_group = [(one, tuple(f for f in checked.findings if group_of(f.id) == one)) for one in GROUPS]
    return [(GROUP_WORDS[one], found) for one, found in by_group if found]


def _curve(checked: Checked) -> Curve | None:
    speed = checked.predicted
    band = (speed.at_once, speed.output_tokens_per_s) if speed and speed.output_tokens_per_s else None
    by_users = {one.at_once: one.tokens_per_s for one in checked.loads}
    return curve(list(by_users.items()), band)


def _compared(checked: Checked, language: str) -> tuple[int, int, tuple[Comparison, ...]] | None:
    """What was measured at the predicted number of users against the prediction."""
    speed = checked.predicted
    loads = [one for one in checked.loads if speed and one.at_once == speed.at_once]
    if speed is None or not loads:
        return None
    load = max(loads, key=lambda one: len(one.samples))
    rates = [one.tokens_per_s for one in load.samples if one.tokens_per_s is not None]
    rows = [(text("report-user-rate"), percentile(rates, 50), speed.tokens_per_s_per_user, "tokens/s")] if rates else []
    if speed.output_tokens_per_s:
        rows.append((text("report-total-rate"), load.tokens_per_s, speed.output_tokens_per_s, "tokens/s"))
    if speed.first_token_s:
        rows.append(
            (text("report-ttft"), percentile([one.first_s for one in load.samples], 50), speed.first_token_s, "s")
        )
    return comparisons([(label.render(language), value, band, unit) for label, value, band, unit in rows])


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
