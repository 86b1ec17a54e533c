from math import exp, factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsdeploy.core.errors import UnknownWorkload
from dsdeploy.core.workloads import concurrency, find_workload, workloads

MEANS = st.floats(0, 100_000, allow_nan=False)
QUANTILES = st.floats(0.01, 0.9999)


def at_once(mean: float, quantile: float) -> int:
    """With one user asking 3,600 times an hour, the service time is the mean."""
    return concurrency(1, 3600, mean, quantile)


@given(st.floats(0, 60), QUANTILES)
def test_concurrency_is_the_quantile_of_the_exact_distribution(mean, quantile):
    def cumulative(n: int) -> float:
        return sum(mean**k * exp(-mean) / factorial(k) for k in range(n + 1))

    n = at_once(mean, quantile)
    assert cumulative(n) >= quantile - 1e-9
    assert n == 1 or cumulative(n - 1) < quantile + 1e-9


@given(MEANS, QUANTILES)
def test_concurrency_keeps_to_the_normal_limit_for_any_mean(mean, quantile):
    assert abs(at_once(mean, quantile) - mean) <= 4.5 * mean**0.5 + 9


@given(MEANS, MEANS, QUANTILES)
def test_more_load_never_needs_fewer_at_once(one, other, quantile):
    less, more = sorted((one, other))
    assert at_once(less, quantile) <= at_once(more, quantile)


@pytest.mark.parametrize("wrong", [(1, 1, 1, 1.0), (1, 1, 1, 0.0), (-1, 1, 1, 0.9), (1, 1, -1, 0.9)])
def test_concurrency_refuses_what_has_no_meaning(wrong):
    with pytest.raises(ValueError):
        concurrency(*wrong)


def test_three_hundred_dispatchers_and_none():
    assert concurrency(300, 10, 80) == 86  # mean 66.7, summed in 60 decimal digits
    assert concurrency(0, 10, 80) == 1


@pytest.mark.parametrize("one", workloads(), ids=lambda one: one.id)
def test_a_preset_is_whole_and_says_where_each_figure_is_from(one):
    assert find_workload(one.id.upper()) is one
    assert set(one.title) == {"en", "zh"}
    assert 0 < one.prompt_tokens.mean < one.prompt_tokens.p95
    assert 0 < one.output_tokens.mean < one.output_tokens.p95
    assert 0 <= one.reasoning_tokens_mean < one.output_tokens.mean
    assert (one.reasoning_tokens_mean > 0) == ("reasoning" in one.needs)
    assert 0 <= one.prefix_share < 1
    figures = set(type(one).__dataclass_fields__) - {"id", "title", "language", "needs", "sources"}
    assert set(one.sources) == figures


@pytest.mark.parametrize(("name", "near"), [("codng", "coding"), ("dispatch", "dispatch-support"), ("", "retrieval")])
def test_an_unknown_workload_names_the_nearest(name, near):
    with pytest.raises(UnknownWorkload) as raised:
        find_workload(name)
    assert near in raised.value.hint.render("en")
