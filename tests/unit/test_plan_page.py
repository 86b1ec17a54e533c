"""`DSDEPLOY_REWRITE=1 pytest tests/unit/test_plan_page.py` rewrites the golden outlines; their diff is the review."""

import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dsdeploy.adapters.reports.charts import lines, scatter, short, stacked_bars, text_width, tornado
from dsdeploy.adapters.reports.page import Bar, Curve, Lines, Point, Scatter, StackedBars, Tornado
from dsdeploy.adapters.reports.plan_html import render_plan_page
from dsdeploy.adapters.reports.plan_page import Extras, plan_page
from dsdeploy.core.band import Band
from dsdeploy.core.cost import load_prices, override_prices
from dsdeploy.core.plan import MemoryBudget
from dsdeploy.core.texts import text
from tests.plans import GIB, h20_plan, speed

GOLDEN = Path(__file__).parents[1] / "golden"
OWN = {"purchase": {"low": 13e5, "expected": 15e5, "high": 19e5, "unit": "CNY"}, "purchase_devices": 8, "power_w": 500}
PRICES = override_prices({"accelerators": {"h20-141gb": OWN}})
EXTRAS = Extras(tuple(speed(n) for n in (1, 16, 64, 128)), "0.1.0")
VOID = {"meta", "br", "rect", "line", "circle", "polyline", "polygon"}
WORDS = text("page-model")


class Outline(HTMLParser):
    """The page's headings, table heads and charts, in order; remembers what is left open."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.open: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.words = ""
        if tag == "svg":
            named = dict(attributes)
            self.lines.append(f"svg {named['class']}: {named['aria-label']}")

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open.pop() == tag
        if tag in ("h1", "h2", "h3", "h4", "th", "dt"):
            self.lines.append(f"{tag}: {self.words.strip()}")

    def handle_data(self, data: str) -> None:
        self.words += data


def _page(language: str, plan=None, prices=PRICES, extras=EXTRAS) -> str:
    return render_plan_page(plan_page(plan or h20_plan(), prices, extras), language)


def _outline(page: str) -> str:
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    return "\n".join(parser.lines) + "\n"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_has_the_golden_outline(language):
    golden = GOLDEN / f"plan_page.{language}.txt"
    outline = _outline(_page(language))
    if os.environ.get("DSDEPLOY_REWRITE"):
        golden.write_text(outline, encoding="utf-8")
    assert outline == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_stands_alone_and_says_what_matters(language):
    page = _page(language)
    assert "<script" not in page and "src=" not in page and "url(" not in page and "@import" not in page
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in page
    for fact in ("DeepSeek-R1-0528", "81.0 %", "171 GiB", "139 GiB", "DeepSeek-V4-Pro", "MIT License", "58,728 CNY"):
        assert fact in page, fact
    assert ("token/秒" in page) == (language == "zh")


def test_what_a_plan_does_not_know_is_said_and_no_chart_is_drawn_of_it():
    bare = replace(h20_plan(), speed=None, quality=None, alternatives=(), changes=(), rejected=())
    page = _page("en", bare, load_prices(), Extras())
    assert "accelerators.h20-141gb.purchase" in page
    assert "Speed is not predicted" in page and "No published result" in page and "Nothing else fits" in page
    assert [line for line in _outline(page).splitlines() if line.startswith("svg wide")] == [
        "svg wide: Memory by term, GiB"
    ]


def test_a_plan_on_the_processor_shows_the_hosts_memory():
    deployment = replace(h20_plan().deployment, accelerator="cpu", devices_per_node=1)
    budget = MemoryBudget(4 * GIB, GIB, GIB, GIB, 16 * GIB)
    page = _page("en", replace(h20_plan(), deployment=deployment, device_memory=None, memory=budget))
    assert ">Host<" in page and ">CPU<" in page
    assert '<td>Weights</td><td class="number">4.0</td>' in page


def test_what_comes_from_the_plan_is_escaped():
    page = _page("en", replace(h20_plan(), weights_repo="<script>alert(1)</script>"))
    assert "<script" not in page and "&lt;script&gt;" in page


def test_a_bars_parts_join_and_end_at_their_sum_and_the_limit_stands_where_it_is():
    bars = StackedBars(
        WORDS, text("page-memory-limit"), (Bar("0", ((WORDS, 20.0), (text("page-engine"), 60.0)), 100.0),)
    )
    chart = stacked_bars(bars, "en", 720)
    first, second = [one.numbers for one in chart.shapes if one.kind == "rect" and one.numbers[3] == 22]
    assert first[0] + first[2] == pytest.approx(second[0], abs=0.2)
    limit = next(one.numbers for one in chart.shapes if one.style == "limit" and one.numbers[0] == one.numbers[2])
    assert (limit[0] - first[0]) / 100 == pytest.approx((second[0] + second[2] - first[0]) / 80, rel=0.01)


def test_the_line_of_a_scatter_joins_what_nothing_beats():
    points = (Point("a", 1, 50), Point("b", 2, 80), Point("c", 3, 70), Point("d", 4, 90), Point("e", 2, 40))
    chart = scatter(Scatter(WORDS, WORDS, WORDS, points), "en", 720)
    front = next(one for one in chart.shapes if one.kind == "path")
    assert len(front.numbers) == 2 * 3
    assert list(front.numbers[::2]) == sorted(front.numbers[::2])
    assert list(front.numbers[1::2]) == sorted(front.numbers[1::2], reverse=True)


@pytest.mark.parametrize("width", [360, 720])
def test_labels_of_points_do_not_cover_each_other_or_leave_the_page(width):
    points = tuple(Point(f"DeepSeek-R1-Distill-{n}", 10 + n / 10, 70 + n / 10) for n in range(12))
    shapes = scatter(Scatter(WORDS, WORDS, WORDS, points), "en", width).shapes
    labels = [(*one.numbers, text_width(one.words)) for one in shapes if one.words.startswith("DeepSeek")]
    assert labels
    for number, (x, y, wide) in enumerate(labels):
        assert x >= 0 and x + wide <= width
        for x2, y2, wide2 in labels[:number]:
            assert abs(y - y2) >= 12 or x >= x2 + wide2 or x2 >= x + wide


def test_a_curves_band_encloses_it():
    points = tuple((float(n), Band(n * 0.8, n * 1.0, n * 1.2)) for n in (1, 5, 9))
    chart = lines(Lines(WORDS, WORDS, WORDS, (Curve("one", points),), (5.0, WORDS)), "en", 720)
    area, path = (next(one for one in chart.shapes if one.kind == kind) for kind in ("area", "path"))
    upper, lower = area.numbers[1:6:2], area.numbers[11:5:-2]
    assert all(high < middle < low for high, middle, low in zip(upper, path.numbers[1::2], lower, strict=True))
    assert chart.height < 400 and re.fullmatch(r"[\d., ]+", path.points)


def test_a_tornados_bars_begin_at_the_base():
    chart = tornado(Tornado(WORDS, 10.0, ((WORDS, 8.0, 13.0),), WORDS, WORDS), "zh", 360)
    base = next(one.numbers[0] for one in chart.shapes if one.style == "base")
    less, more = [one.numbers for one in chart.shapes if one.kind == "rect" and one.numbers[3] == 22]
    assert less[0] + less[2] == pytest.approx(base) and more[0] == pytest.approx(base)


@pytest.mark.parametrize(("number", "said"), [(0, "0"), (2500, "2,500"), (12_500, "12.5K"), (3e6, "3M"), (2e9, "2G")])
def test_tick_labels_are_short(number, said):
    assert short(number) == said
