"""A plan as one page that stands alone, for whoever decides and for whoever builds."""

from dsdeploy.adapters.reports.charts import DRAW, Chart
from dsdeploy.adapters.reports.html import render_page
from dsdeploy.adapters.reports.page import Block, PlanPage


def render_plan_page(page: PlanPage, language: str) -> str:
    def draw(block: Block, width: int) -> Chart:
        return DRAW[type(block)](block, language, width)

    return render_page("plan.html.j2", language, page=page, draw=draw, kind=lambda block: type(block).__name__)
