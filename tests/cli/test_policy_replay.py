"""A replay on a screen: the sum first, then whose calls turn."""

from answerable.cli.render.documents import render
from answerable.cli.render.marks import UNICODE
from answerable.cli.render.screen import Screen
from answerable.model.decision import Effect, Reason
from answerable.model.policy_replay import Replayed, Turned
from answerable.usecases.authorization.replay_report import told

TURNED = Turned(
    "agent:declared/ana", "files", Effect.ALLOW, Effect.DENY, True, False,
    Reason.NO_RULE, ("agents.ana.allow[0]",), (), 3,
)  # fmt: skip
SHADOWED = Turned(
    "agent:declared/ben", "files", Effect.ALLOW, Effect.DENY, True, True,
    Reason.FORBIDDEN, ("agents.ben.allow[0]",), ("mail.cedar:no-mail",), 1,
)  # fmt: skip


def shown(replayed: Replayed) -> list[str]:
    screen = Screen(120, UNICODE, False)
    return list(render(told("d" * 64, replayed), screen, 0))


def test_the_sum_comes_first_and_then_whose_calls_turn() -> None:
    first, in_name, left, _, *rows, more = shown(
        Replayed(2000, 5, 3, 0, 1, (TURNED, SHADOWED), 7)
    )
    assert first.startswith("would have denied 3 of 2,000 calls")
    assert in_name.startswith("1 more in name")
    assert left.startswith("5 recent calls")
    assert "agents.ana.allow[0]" in rows[1]
    assert "deny (no-rule)" in rows[1]
    assert "deny, goes on (mail.cedar:no-mail)" in rows[2]
    assert more == "and 7 more calls"


def test_where_nothing_turns_there_is_the_sum_alone() -> None:
    (line,) = shown(Replayed(12))
    assert line.startswith("would have denied 0 of 12 calls")
