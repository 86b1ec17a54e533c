"""For whoever builds: the deployment, its memory and speed, what fits too and what was turned down."""

from dsdeploy.adapters.reports.page import (
    Bar,
    Block,
    Cell,
    Curve,
    Facts,
    Items,
    Lines,
    Point,
    Scatter,
    Section,
    StackedBars,
    Table,
)
from dsdeploy.adapters.reports.plan_page.words import GIB, amounts, number, percent, ranged, rule, shape
from dsdeploy.core.accelerators import product_name
from dsdeploy.core.cost import Cost, Prices, predict_cost
from dsdeploy.core.cost.of_plan import service_of_alternative
from dsdeploy.core.cost.values import Service
from dsdeploy.core.errors import UnknownAccelerator
from dsdeploy.core.plan import Alternative, Plan, PlannedSpeed
from dsdeploy.core.texts import TERMS, Text, text

_MEMORY = {**TERMS, "weights": text("page-weights"), "kv_cache": text("page-kv-cache")}
_HOSTS = 4
_TABLE_ROWS = 40  # a page is read by people: the plan file holds the rest


def deployment(plan: Plan) -> Section:
    one = plan.deployment
    rows: list[tuple[Text, Cell]] = [
        (text("page-parallel"), shape(plan)),
        (text("page-replicas"), text("page-replicas-value", replicas=one.replicas, nodes=one.nodes)),
        (text("page-max-len"), f"{one.max_model_len:,}"),
        (text("page-at-once"), f"{one.seats:,}"),
        (text("page-revision"), f"{plan.weights_repo} @ {plan.weights_revision or '–'}"),
        (text("page-arguments"), " ".join(plan.engine_arguments) or "–"),
    ]
    if plan.hosts:
        rows.append((text("page-hosts"), ", ".join(plan.hosts)))
    return Section(text("page-deployment"), (Facts(tuple(rows)),))


def memory(plan: Plan) -> Section:
    found = plan.device_memory
    if found is None:
        host = plan.memory
        parts = {
            "weights": host.weights_bytes,
            "kv_cache": host.kv_cache_bytes,
            "compute": host.compute_bytes,
            "reserve": host.reserve_bytes,
        }
        return _bars(text("plan-section-host-memory"), text("page-host-bar"), parts, host.available_bytes, ())
    parts = {"weights": found.weights_bytes, **found.terms_bytes, "kv_cache": found.kv_cache_bytes}
    tokens = text("page-cache-note", tokens=f"{found.kv_cache_tokens:,}", needed=f"{found.needed_tokens:,}")
    bar = text("page-device-bar", count=plan.deployment.devices)
    return _bars(text("page-memory"), bar, parts, found.device_bytes, (tokens,))


def _bars(title: Text, label: Text, parts: dict[str, int], limit: int, notes: tuple[Text, ...]) -> Section:
    named = tuple((_MEMORY.get(name, _MEMORY["other"]), size / GIB) for name, size in parts.items() if size)
    bars = StackedBars(text("page-memory-title"), text("page-memory-limit"), (Bar(label, named, limit / GIB),))
    columns = (text("page-memory-term"), text("page-gib"))
    rows = [(name, f"{size:,.1f}") for name, size in named]
    rows.append((text("page-memory-limit"), f"{limit / GIB:,.1f}"))
    return Section(title, (bars, Table(columns, tuple(rows), (1,)), *((Items(notes),) if notes else ())))


def speed(plan: Plan, speeds: tuple[PlannedSpeed, ...]) -> Section:
    if plan.speed is None:
        return Section(text("page-speed"), (Items((text("page-speed-unknown"),)),))
    known = sorted({one.at_once: one for one in (*speeds, plan.speed)}.items())
    mark = (float(plan.speed.at_once), text("page-planned"))
    users = text("page-requests-at-once")
    blocks: list[Block] = []
    if len(known) > 1:
        per_user = tuple((float(n), one.tokens_per_s_per_user) for n, one in known)
        total = tuple((float(n), one.output_tokens_per_s) for n, one in known if one.output_tokens_per_s)
        if len(total) > 1:
            curve = Curve(text("page-total-speed"), total)
            blocks.append(Lines(text("page-throughput"), users, text("page-token-s"), (curve,), mark))
        curve = Curve(text("page-user-speed"), per_user)
        blocks.append(Lines(text("page-user-speed"), users, text("page-token-s"), (curve,), mark))
    columns = (users, text("page-user-speed"), text("page-total-speed"), text("page-first-token"))
    rows = tuple(
        (f"{n:,}", ranged(one.tokens_per_s_per_user), ranged(one.output_tokens_per_s), ranged(one.first_token_s))
        for n, one in known
    )
    strong = [n for n, _ in known].index(plan.speed.at_once)
    blocks.append(Table(columns, rows, (0, 1, 2, 3), strong, text("page-band-note")))
    return Section(text("page-speed"), tuple(blocks))


def candidates(plan: Plan, service: Service, cost: Cost, prices: Prices) -> Section:
    """What fits too, with its cost at full capacity where it is known."""
    costs = [_capacity_cost(service_of_alternative(one, plan, service), prices) for one in plan.alternatives]
    points = [
        Point(f"{one.model_id} {one.format}", price, one.quality)
        for one, price in zip(plan.alternatives, costs, strict=True)
        if price is not None and one.quality is not None
    ]
    if cost.per_million_at_capacity and plan.quality:
        own = cost.per_million_at_capacity.expected
        points.append(Point(f"{plan.model_id} {plan.format}", own, plan.quality.score, chosen=True))
    blocks: list[Block] = []
    if len(points) > 1:
        x, y = text("page-pareto-x", currency=cost.currency), text("page-quality-tile")
        blocks.append(Scatter(text("page-pareto"), x, y, tuple(points), text("page-pareto-note")))
    columns = (
        text("page-model"),
        text("page-engine"),
        text("page-hardware"),
        text("page-parallel"),
        text("page-quality-tile"),
        text("page-user-speed"),
        text("page-first-token"),
        text("page-million", currency=cost.currency),
    )
    rows = tuple(_alternative(one, price) for one, price in zip(plan.alternatives, costs, strict=True))
    blocks.append(Table(columns, rows[:_TABLE_ROWS], (4, 5, 6, 7)) if rows else Items((text("page-no-other"),)))
    return Section(text("page-candidates"), tuple(blocks))


def _capacity_cost(service: Service, prices: Prices) -> float | None:
    try:
        found = predict_cost(service, prices).per_million_at_capacity
    except UnknownAccelerator:
        return None
    return found.expected if found else None


def _alternative(one: Alternative, price: float | None) -> tuple[str, ...]:
    return (
        f"{one.model_id} · {one.format}",
        one.engine,
        f"{one.devices} × {product_name(one.accelerator)}",
        one.shape,
        percent(one.quality),
        number(one.tokens_per_s_per_user, 1),
        number(one.first_token_s, 2),
        number(price, 2),
    )


def idle(plan: Plan) -> tuple[Section, ...]:
    """Nothing where every machine serves."""
    if not plan.idle:
        return ()
    columns = (text("page-hosts"), text("page-hardware"), text("page-model"), text("page-quality-tile"),
               text("page-user-speed"))  # fmt: skip
    rows = tuple(
        (
            ", ".join(one.hosts[:_HOSTS]) + (" …" if len(one.hosts) > _HOSTS else ""),
            f"{len(one.hosts)} × {one.devices_per_node} × {product_name(one.accelerator)}",
            f"{one.best.model_id} · {one.best.format}" if one.best else text("plan-idle-nothing"),
            percent(one.best.quality) if one.best else "–",
            number(one.best.tokens_per_s_per_user, 1) if one.best else "–",
        )
        for one in plan.idle
    )
    return (Section(text("plan-section-idle"), (Table(columns, rows, (3, 4), None, text("plan-idle-command")),)),)


def rejections(plan: Plan) -> Section:
    columns = (
        text("page-model"),
        text("page-engine"),
        text("page-parallel"),
        text("page-rule"),
        text("page-needed"),
        text("page-available"),
    )
    rows = tuple(
        (f"{one.model_id} · {one.format}", one.engine or "–", one.shape or "–", rule(one), *amounts(one))
        for one in plan.rejected[:_TABLE_ROWS]
    )
    left = len(plan.rejected) - len(rows)
    note = text("page-more-rejected", count=left) if left else None
    table = Table(columns, rows, (4, 5), None, note)
    return Section(text("page-rejected"), (table,) if rows else (Items((text("page-none"),)),))
