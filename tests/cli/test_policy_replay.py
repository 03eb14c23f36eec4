"""A replay on a screen: the sum first, then whose calls turn."""

from answerable.cli.render.documents import render_document
from answerable.cli.render.screen import Screen
from answerable.cli.render.status_marks import UNICODE
from answerable.model.decision import DecisionEffect, DecisionReason
from answerable.model.policy_replay import ChangedDecisions, PolicyReplayResult
from answerable.usecases.authorization.policy_replay_document import (
    build_replay_document,
)

TURNED = ChangedDecisions(
    "agent:declared/ana", "files", DecisionEffect.ALLOW, DecisionEffect.DENY, True, False,
    DecisionReason.NO_RULE, ("agents.ana.allow[0]",), (), 3,
)  # fmt: skip
SHADOWED = ChangedDecisions(
    "agent:declared/ben", "files", DecisionEffect.ALLOW, DecisionEffect.DENY, True, True,
    DecisionReason.FORBIDDEN, ("agents.ben.allow[0]",), ("mail.cedar:no-mail",), 1,
)  # fmt: skip


def shown(replayed: PolicyReplayResult) -> list[str]:
    screen = Screen(120, UNICODE, False)
    return list(render_document(build_replay_document("d" * 64, replayed), screen, 0))


def test_the_sum_comes_first_and_then_whose_calls_turn() -> None:
    first, in_name, left, _, *rows, more = shown(
        PolicyReplayResult(2000, 5, 3, 0, 1, (TURNED, SHADOWED), 7)
    )
    assert first.startswith("would deny 3 of 2,000 calls")
    assert in_name.startswith("1 more would be denied without effect")
    assert left.startswith("5 recent calls")
    assert "agents.ana.allow[0]" in rows[1]
    assert "deny (no-rule)" in rows[1]
    assert "deny, forwarded (mail.cedar:no-mail)" in rows[2]
    assert more == "and 7 more calls"


def test_where_nothing_turns_there_is_the_sum_alone() -> None:
    (line,) = shown(PolicyReplayResult(12))
    assert line.startswith("would deny 0 of 12 calls")
