"""How much of what comes next was never seen."""

import pytest

from answerable.baseline.baseline_confidence import (
    estimate_unseen_layer_share,
    is_ready_to_enforce,
    wilson_upper_bound,
)
from answerable.model.baseline import BaselineLayer, LearningParameters
from tests.baseline.bank_scenario import ALICE, LIST, PAY, learned, step

LISTED, PAID = step(LIST, [{"to": ALICE}]), step(PAY, "ok", to=ALICE, amount=5)


# Upper ends of Wilson's score interval, two-sided 95 %.
@pytest.mark.parametrize(
    ("hits", "samples", "most"),
    [(0, 0, 1.0), (0, 40, 0.0876), (1, 40, 0.1288), (5, 10, 0.7634), (10, 10, 1.0)],
)
def test_the_upper_end_is_wilsons(hits: int, samples: int, most: float) -> None:
    assert wilson_upper_bound(hits, samples) == pytest.approx(most, abs=1e-4)


def test_what_one_run_alone_has_shown_is_the_share_still_to_come() -> None:
    found = estimate_unseen_layer_share(BaselineLayer.FLOW, [1, 1, 8, 10])
    assert (found.samples, found.singletons, found.unseen) == (20, 2, 100_000)
    assert found.most == round(wilson_upper_bound(2, 20) * 1e6)


@pytest.mark.parametrize(("times", "ready"), [(39, False), (40, True)])
def test_a_profile_is_ready_after_enough_runs(times: int, ready: bool) -> None:
    profile = learned((LISTED, PAID), times=times)
    assert [each.layer for each in profile.confidence] == list(BaselineLayer)
    assert is_ready_to_enforce(profile, LearningParameters()) is ready


def test_a_profile_is_not_ready_where_new_things_keep_coming() -> None:
    scripts = [
        (step("bank/note", "ok", text=f"https://{n}.example/"),) for n in range(50)
    ]
    same = [(step("bank/note", "ok", text="https://1.example/"),) for _ in range(50)]
    assert not is_ready_to_enforce(learned(*scripts, times=1), LearningParameters())
    assert is_ready_to_enforce(learned(*same, times=1), LearningParameters())
