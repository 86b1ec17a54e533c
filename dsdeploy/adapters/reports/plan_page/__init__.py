"""The page of a plan: what, cost, quality and duties for whoever decides, then the detail for whoever builds."""

from dataclasses import dataclass

from dsdeploy.adapters.reports.page import PlanPage, Tile
from dsdeploy.adapters.reports.plan_page.building import candidates, deployment, idle, memory, rejections, speed
from dsdeploy.adapters.reports.plan_page.costing import costs
from dsdeploy.adapters.reports.plan_page.deciding import better, duties, quality, what
from dsdeploy.adapters.reports.plan_page.words import banded, hardware, listed, money
from dsdeploy.core.cost import Cost, Prices, convert, predict_cost
from dsdeploy.core.cost.of_plan import service_of
from dsdeploy.core.plan import Plan, PlannedSpeed, Remark
from dsdeploy.core.texts import Text, text


@dataclass(frozen=True, slots=True)
class Extras:
    """What a page shows beside the plan: `speeds` are the same deployment's at other numbers of requests at once."""

    speeds: tuple[PlannedSpeed, ...] = ()
    tool_version: str = ""
    rented: bool = False
    region: str = "cn"


def plan_page(plan: Plan, prices: Prices, extras: Extras) -> PlanPage:
    """Raises InvalidRequest for a region without prices."""
    service = service_of(plan, prices, rented=extras.rented, region=extras.region)
    cost = predict_cost(service, prices)
    deciding = (what(plan), costs(cost, service), quality(plan), duties(plan), better(plan))
    building = (
        deployment(plan),
        memory(plan),
        speed(plan, extras.speeds),
        candidates(plan, service, cost, prices),
        *idle(plan),
        rejections(plan),
        listed(text("page-warnings"), tuple(map(_remark, plan.warnings)), text("page-none")),
        listed(text("page-assumptions"), cost.assumptions, text("page-none")),
    )
    return PlanPage(
        title=text("page-title", model=plan.model_id, hardware=hardware(plan)),
        summary=text(
            "page-summary",
            model=plan.model_id,
            format=plan.format,
            hardware=hardware(plan),
            engine=plan.engine,
            users=f"{plan.users:,}",
            context=f"{plan.context_tokens:,}",
        ),
        tiles=_tiles(plan, cost),
        parts=((text("page-for-decision"), deciding), (text("page-for-engineers"), building)),
        footer=text(
            "page-footer", version=extras.tool_version, hardware_at=plan.hardware_asked_at or text("page-to-buy")
        ),
    )


def _tiles(plan: Plan, cost: Cost) -> tuple[Tile, ...]:
    speed, quality, unknown = plan.speed, plan.quality, text("page-unknown")
    month = cost.per_month
    other = "USD" if cost.currency == "CNY" else "CNY"
    return (
        Tile(
            text("page-quality-tile"),
            f"{quality.score:.1f} %" if quality else unknown,
            text("page-quality-kept", share=f"{quality.recovery * 100:.1f} %") if quality else "",
        ),
        Tile(text("page-user-speed"), *banded(speed.tokens_per_s_per_user if speed else None, "tokens/s")),
        Tile(text("page-first-token"), *banded(speed.first_token_s if speed else None, "s")),
        Tile(
            text("page-month"),
            f"{money(month.expected)} {cost.currency}" if month else unknown,
            f"≈ {money(_other(month.expected, cost))} {other}" if month else text("page-prices-missing"),
        ),
    )


def _remark(one: Remark) -> Text:
    said = text(one.code, **one.values)
    return text("page-times", said=said, times=one.times) if one.times > 1 else said


def _other(value: float, cost: Cost) -> float:
    return convert(value, cost.currency, "USD" if cost.currency == "CNY" else "CNY", cost.cny_per_usd)
