"""What a channel is told of an ask: bounded, and nothing in it means anything there."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.approval_request import ApprovalScope, BlockedCall
from answerable.model.decision import TargetKind
from answerable.model.ids import AgentId
from answerable.server.approval_notifications.chat_message import (
    build_approval_message,
    escape_for_chat,
)
from answerable.server.approval_notifications.notification_rate import (
    HOUR,
    MAX_AGENTS,
    NotificationRate,
)

AGENT = AgentId("agent:declared/invoices")


def wanted(name: str = "write", agent: str = AGENT) -> ApprovalScope:
    return ApprovalScope(AgentId(agent), "files", TargetKind.TOOL, name, "ab" * 32)


def test_it_names_who_wants_what_and_how_it_is_answered() -> None:
    said = json.loads(
        build_approval_message(BlockedCall("c0" * 16, wanted()), "ana@corp.example")
    )
    assert set(said) == {"text", "blocks"}
    whole = json.dumps(said)
    for each in ("invoices", "write", "files", "ana@corp.example", "c0" * 16):
        assert each in whole
    assert f"answerable asks show {'c0' * 16}" in said["text"]
    assert "ab" * 32 not in whole  # of the arguments not even the digest
    kinds = {f["type"] for f in said["blocks"][1]["fields"]}
    assert kinds == {"plain_text"}


HOSTILE = (
    "<!channel>",
    "@here",
    "<https://evil.example|approve>",
    "https://evil.example/approve",
    "*bold* _it_ ~no~ `code`",
    "a\nOwner: eve",
    "\u202egnp.exe",
    "x" * 5000,
    "\ud800",
    "#general",
    "&lt;",
)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=300)))
def test_no_name_means_anything_in_a_channel(name: str) -> None:
    shown = escape_for_chat(name)
    assert shown.isascii()
    assert not set(shown) & set("<>&*~`@#\n\r\t |\"'()[]!")
    assert "://" not in shown
    assert len(shown) <= 160 * 10 + 3
    said = json.loads(build_approval_message(BlockedCall("c0" * 16, wanted(name)), ""))
    assert all(f["text"].count("\n") == 1 for f in said["blocks"][1]["fields"])


def test_an_act_is_told_once_an_hour_and_an_agent_so_often() -> None:
    rate = NotificationRate(3)
    assert rate.allow_notification(wanted(), 0.0)
    assert not rate.allow_notification(wanted(), HOUR - 1)
    assert [rate.allow_notification(wanted(f"t{n}"), 1.0) for n in range(5)] == [
        True,
        True,
    ] + [False] * 3
    assert rate.allow_notification(wanted(agent="agent:declared/other"), 1.0)
    assert rate.allow_notification(wanted(), HOUR)


@pytest.mark.parametrize("count", [MAX_AGENTS * 2])
def test_agents_that_nobody_knows_fill_no_memory(count: int) -> None:
    rate = NotificationRate(3)
    for number in range(count):
        rate.allow_notification(wanted(agent=f"agent:caller/{number}"), 0.0)
    assert len(rate._agents) == MAX_AGENTS
