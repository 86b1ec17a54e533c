"""From what is there, and what is wanted, to a plan and its price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from dsdeploy.core.errors import NoModelFits
from dsdeploy.core.results import Result
from dsdeploy.workflows.steps import read_plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dsdeploy.adapters.reports import Report
    from dsdeploy.core.cost import Cost
    from dsdeploy.core.fleet import Fleet
    from dsdeploy.core.values import (
        Operation,
        Plan,
        Profile,
    )
    from dsdeploy.stages.estimate import Estimate
    from dsdeploy.stages.plan import Hardware
    from dsdeploy.stages.plan.differences import PlanDifference
    from dsdeploy.stages.plan.wanted import Bought, Pricing, Wanted

    Agree = Callable[[tuple[Operation, ...]], bool]

P = TypeVar("P", "Profile", "Fleet")


def profile(save: Path | None, measured: dict[str, float]) -> Result[Profile]:
    from dsdeploy.stages.profile import detect_profile

    return _profiled(detect_profile(), save, measured)


def profile_collected(path: Path, save: Path | None, measured: dict[str, float]) -> Result[Profile]:
    from dsdeploy.stages.profile import read_collected

    return _profiled(read_collected(path), save, measured)


def profile_hosts(
    inventory: Path, connect_s: int, save: Path | None, measured: dict[str, float], done: Callable[[str], None]
) -> Result[Fleet]:
    from dsdeploy.stages.profile import ask_fleet

    return _profiled(ask_fleet(inventory, connect_s, done), save, measured)


def profile_nodes(
    context: str | None, namespace: str | None, save: Path | None, measured: dict[str, float]
) -> Result[Fleet]:
    from dsdeploy.stages.profile import ask_nodes

    return _profiled(ask_nodes(context, namespace), save, measured)


def _profiled(found: P, save: Path | None, measured: dict[str, float]) -> Result[P]:
    from dsdeploy.stages.profile import save_profile, with_measured

    found = with_measured(found, measured)
    if save is not None:
        save_profile(found, save)
    return Result("profile", found)


def collector() -> Result[str]:
    from dsdeploy.adapters.collector import collector_script

    return Result("profile", collector_script())


def models_list(family: str | None, licence: str | None, format: str | None) -> Result[tuple[dict[str, Any], ...]]:
    from dsdeploy.stages.models import list_models

    return Result("models list", list_models(family, licence, format))


def models_show(name: str) -> Result[dict[str, Any]]:
    from dsdeploy.stages.models import show_model

    return Result("models show", show_model(name))


def estimate(asked: dict[str, Any]) -> Result[Estimate]:
    from dsdeploy.stages.estimate import Question, estimate

    found = estimate(Question(**asked))
    return Result("estimate", found, 0 if found.fits else NoModelFits.exit_code)


def plan(
    wanted: Wanted,
    bought: Bought | None,
    hardware: Path | None,
    out: Path | None,
    pricing: Pricing,
    report: Report | None = None,
) -> Result[Plan]:
    from dataclasses import replace

    from dsdeploy.adapters.prices import read_prices
    from dsdeploy.core.cost import demand_region
    from dsdeploy.core.cost.of_plan import planned_cost
    from dsdeploy.stages.plan import choose_plan, load_request, save_plan

    write, prices = _report_writer(report, pricing), read_prices(pricing.file)
    demand_region(pricing.region, prices)
    request = load_request(wanted.file) if wanted.file else {}
    on = _beside(wanted.beside, _hardware(bought, hardware, wanted.oldest_days, pricing))
    chosen = choose_plan(wanted.over(request), on)
    chosen = replace(chosen, cost=planned_cost(chosen, prices, rented=pricing.rented, region=pricing.region))
    if out is not None:
        save_plan(chosen, out)
    write(chosen, on)
    return Result("plan", chosen)


def plan_verify(
    path: Path,
    bought: Bought | None,
    hardware: Path | None,
    pricing: Pricing,
    report: Report | None = None,
    beside: tuple[Path, ...] = (),
) -> Result[Plan]:
    """On the same machines: without those of the plans `beside` which it was made."""
    from dsdeploy.stages.plan import load_plan, verify_plan

    write = _report_writer(report, pricing)
    found, on = load_plan(path), _beside(beside, _hardware(bought, hardware, None, pricing))
    verify_plan(found, on)
    write(found, on)
    return Result("plan", found)


def _report_writer(report: Report | None, pricing: Pricing) -> Callable[[Plan, Hardware], None]:
    """Refuses a report that cannot be written, or prices that cannot be read, before anything is planned."""
    if report is None:
        return lambda plan, hardware: None
    from dsdeploy.adapters.prices import read_prices
    from dsdeploy.adapters.reports import demand_page, write_report
    from dsdeploy.core.cost import demand_region

    demand_page(report.path)
    prices = read_prices(pricing.file)
    demand_region(pricing.region, prices)

    def write(plan: Plan, hardware: Hardware) -> None:
        from dsdeploy import __version__
        from dsdeploy.adapters.reports.plan_html import render_plan_page
        from dsdeploy.adapters.reports.plan_page import Extras, plan_page
        from dsdeploy.stages.plan import speed_curve

        extras = Extras(speed_curve(plan, hardware), __version__, pricing.rented, pricing.region)
        write_report(report.path, render_plan_page(plan_page(plan, prices, extras), report.language))

    return write


def plan_diff(old: Path, new: Path) -> Result[tuple[PlanDifference, ...]]:
    from dsdeploy.stages.plan import load_plan, plan_differences

    return Result("plan", plan_differences(load_plan(old), load_plan(new)))


def cost(path: Path, prices: Path | None, *, rented: bool, region: str, months: int) -> Result[Cost]:
    from dsdeploy.adapters.prices import read_prices
    from dsdeploy.core.cost import predict_cost
    from dsdeploy.core.cost.of_plan import service_of

    found, known = read_plan(path)[0], read_prices(prices)
    return Result("cost", predict_cost(service_of(found, known, rented=rented, region=region, months=months), known))


def _beside(plans: tuple[Path, ...], hardware: Hardware) -> Hardware:
    """The machines that these plans leave."""
    if not plans:
        return hardware
    from dsdeploy.core.errors import InvalidRequest
    from dsdeploy.core.fleet import Fleet
    from dsdeploy.core.texts import text
    from dsdeploy.stages.plan import left_by, load_plan

    if not isinstance(hardware, Fleet):
        raise InvalidRequest(text("plan-beside-no-fleet"), hint=text("plan-beside-no-fleet-hint"))
    return left_by(map(load_plan, plans), hardware)


def _hardware(bought: Bought | None, path: Path | None, oldest_days: int | None, pricing: Pricing) -> Hardware:
    """Hardware to be bought, the machines of a file, or this machine."""
    from dsdeploy.stages.plan import Pools, pool_to_buy, pools_within
    from dsdeploy.stages.profile import detect_profile, load_fleet, refuse_old

    if bought is not None and bought.budget is not None:
        from dsdeploy.adapters.prices import read_prices

        prices = read_prices(pricing.file)
        return pools_within(bought.budget, prices, pricing.region, bought.accelerator, bought.host_bytes)
    if bought is not None and bought.accelerator is not None:
        pool = pool_to_buy(bought.accelerator, bought.count, bought.nodes, bought.device_bytes, bought.host_bytes)
        return Pools((pool,))
    if path is None:
        return detect_profile()
    fleet = load_fleet(path)
    if oldest_days is not None:
        refuse_old(fleet, oldest_days)
    return fleet
