"""`dsdeploy plan`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dsdeploy import workflows
from dsdeploy.cli.house import House
from dsdeploy.core.errors import UsageError
from dsdeploy.core.results import Result
from dsdeploy.core.texts import text


def add(app: typer.Typer, house: House) -> None:
    @app.command(help=house.say("help-plan"))
    def plan(
        model: Annotated[str | None, house.flag("--model", "help-model")] = None,
        users: Annotated[int | None, house.flag("--users", "help-users")] = None,
        context: Annotated[int | None, house.flag("--context", "help-context")] = None,
        workload: Annotated[str | None, house.flag("--workload", "help-workload")] = None,
        prompt_tokens: Annotated[int | None, house.flag("--prompt-tokens", "help-prompt-tokens")] = None,
        output_tokens: Annotated[int | None, house.flag("--output-tokens", "help-output-tokens")] = None,
        aim: Annotated[str | None, house.flag("--aim", "help-aim")] = None,
        min_quality: Annotated[float | None, house.flag("--min-quality", "help-min-quality")] = None,
        first_token: Annotated[float | None, house.flag("--first-token", "help-first-token")] = None,
        speed: Annotated[float | None, house.flag("--tokens-per-second", "help-tokens-per-second")] = None,
        format: Annotated[str | None, house.flag("--format", "help-plan-format")] = None,
        engine: Annotated[str | None, house.flag("--engine", "help-plan-engine")] = None,
        replicas: Annotated[int | None, house.flag("--replicas", "help-replicas")] = None,
        industry: Annotated[str | None, house.flag("--industry", "help-industry")] = None,
        target: Annotated[str | None, house.flag("--target", "help-target")] = None,
        host: Annotated[str | None, house.flag("--host", "help-host")] = None,
        port: Annotated[int | None, house.flag("--port", "help-port")] = None,
        request: Annotated[Path | None, house.flag("--request", "help-request")] = None,
        hardware: Annotated[Path | None, house.flag("--hardware", "help-hardware")] = None,
        beside: Annotated[list[Path] | None, house.flag("--beside", "help-plan-beside")] = None,
        oldest: Annotated[int | None, house.flag("--max-profile-age-days", "help-profile-age")] = None,
        accelerator: Annotated[str | None, house.flag("--accelerator", "help-plan-accelerator")] = None,
        count: Annotated[int | None, house.flag("--count", "help-plan-count")] = None,
        nodes: Annotated[int | None, house.flag("--nodes", "help-plan-nodes")] = None,
        budget: Annotated[float | None, house.flag("--budget", "help-plan-budget")] = None,
        device_memory: Annotated[int | None, house.flag("--device-memory-bytes", "help-device-memory")] = None,
        host_memory: Annotated[int | None, house.flag("--host-memory-bytes", "help-host-memory")] = None,
        out: Annotated[Path | None, house.flag("--out", "help-out")] = None,
        verify: Annotated[Path | None, house.flag("--verify", "help-verify")] = None,
        diff: Annotated[tuple[Path, Path] | None, house.flag("--diff", "help-plan-diff")] = None,
        report: Annotated[Path | None, house.flag("--report", "help-plan-report")] = None,
        prices: Annotated[Path | None, house.flag("--prices", "help-prices")] = None,
        rented: Annotated[bool, house.flag("--rented", "help-rented")] = False,
        region: Annotated[str, house.flag("--region", "help-region")] = "cn",
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.plan import difference_rows, plan_rows
        from dsdeploy.stages.plan.wanted import Bought, Pricing, Wanted

        flags = {
            "model_id": model, "users": users, "context_tokens": context, "workload": workload,
            "prompt_tokens": prompt_tokens, "output_tokens": output_tokens, "aim": aim, "min_quality": min_quality,
            "max_first_token_s": first_token, "min_tokens_per_s": speed, "format": format, "engine": engine,
            "replicas": replicas, "industry": industry, "target": target, "host": host, "port": port,
        }  # fmt: skip
        sizes = {
            "--count": count, "--nodes": nodes, "--device-memory-bytes": device_memory,
            "--host-memory-bytes": host_memory,
        }  # fmt: skip

        def bought() -> Bought | None:
            if budget is not None and (hardware or count or nodes or device_memory):
                raise UsageError(text("plan-budget-alone"), hint=text("plan-budget-alone-hint"))
            if budget is not None and budget <= 0:
                raise UsageError(text("bad-number", name="budget", found=budget), hint=text("bad-number-hint"))
            for name, given in sizes.items():
                if given is None:
                    continue
                if accelerator is None and (name != "--host-memory-bytes" or budget is None):
                    raise UsageError(text("plan-count-alone", name=name), hint=text("plan-count-alone-hint"))
                if given < 1:
                    raise UsageError(text("bad-number", name=name[2:], found=given), hint=text("bad-number-hint"))
            if accelerator is not None and hardware is not None:
                raise UsageError(text("plan-two-hardwares"), hint=text("plan-two-hardwares-hint"))
            if budget is None and accelerator is None:
                return None
            return Bought(accelerator, count or 1, nodes or 1, device_memory, host_memory, budget)

        def page() -> Any:
            if report is None:
                return None
            from dsdeploy.adapters.reports import Report

            return Report(report, house.language)

        pricing = Pricing(prices, rented, region)

        def work() -> Result[Any]:
            if (diff or (verify and report is None)) and pricing != Pricing():
                raise UsageError(text("plan-prices-alone"), hint=text("plan-prices-alone-hint"))
            if diff is not None:
                return workflows.plan_diff(*diff)
            if verify is not None:
                if out or request or any(one is not None for one in flags.values()):
                    raise UsageError(text("verify-alone"), hint=text("verify-alone-hint"))
                return workflows.plan_verify(verify, bought(), hardware, pricing, page(), tuple(beside or ()))
            wanted = Wanted(flags, request, oldest, tuple(beside or ()))
            return workflows.plan(wanted, bought(), hardware, out, pricing, page())

        house.finish("plan", work, plan_rows if diff is None else difference_rows, as_json, file=out)
