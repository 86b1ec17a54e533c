"""The speed model keeps to what real engines logged: the figures that were reached may not be lost."""

from tests.truth.throughput import aside, judged, median_error, published, rows, share_within


def test_judged_rows_lie_in_their_bands():
    found = judged()
    assert len(found) + len(aside()) == len(rows())
    assert share_within(found) >= 0.92
    assert median_error(found) <= 0.15
    assert max(one.high / one.low for one in found) <= 4


def test_published_figures_on_other_machines_lie_in_their_bands():
    found = published()
    assert share_within(found) == 1
    assert median_error(found) <= 0.15


def test_rows_are_set_aside_by_name_with_a_reason():
    assert set(aside()) <= {row["id"] for row in rows()}
    assert all(aside().values())
