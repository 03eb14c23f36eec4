"""Chapters of the working agent: baseline, prompt injection, denial, approval."""

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from answerable.cli.demo.environment import (
    AGENT,
    CLERK,
    CONFIG,
    FRANCS,
    KEY,
    LETTER,
    OWNER,
    PHRASE,
    Office,
    can_attest,
)
from answerable.cli.demo.folders import own_places
from answerable.cli.demo.narration import Chapter, Main, Step, asked, say, tell

RUNS = 9  # runs of the training
SPOOL = "gateway:store/gateway/spool"
OFFICE = "office"  # its folder
SIGNED = ("--key", KEY, "--passphrase-file", PHRASE)
_DIGEST, _DENIED, _ASKED = "DIGEST", "DENIED", "ASKED"
_RUN = ("run", "--agent", "clerk", "--", CLERK)


def _chapters(office: Office) -> Iterable[Chapter]:
    yield Chapter(
        "An agent goes to work. Who answers for it?",
        (
            Step(
                "It is declared in answerable.yaml, with the tools that it may call "
                "and who owns it.",
                ("scan", f"config:{CONFIG}"),
            ),
            Step(
                "What a file says is a claim. Ana makes a key, has it enrolled, ...",
                ("owner-keys", "new", "--person", OWNER, *SIGNED),
            ),
            Step(
                "... which is an administrator's act, ...",
                ("owner-keys", "enroll", f"{KEY}.pub", "--person", OWNER),
            ),
            Step(
                "... and signs that she answers for it.",
                ("attest", AGENT, "--owner", OWNER, *SIGNED),
            ),
        ),
        before=lambda: _opened(office),
    )
    yield Chapter(
        "It works. What does it usually do?",
        (
            Step(
                "It has no key: the kernel says who started it, and a rule that it may "
                "act for ana. Here it runs as the same user, so what holds it is "
                "advice to it; --user makes it a boundary.",
                (*_RUN, "--invoices", "2"),
                apart=True,
            ),
            Step("What the gateway recorded comes into the store.", ("ingest", SPOOL)),
            Step("Learn from it.", ("baseline", "learn", "clerk")),
            Step(
                "By its own measure it has not seen enough. A demo has a minute, so "
                "Ana signs all the same: first to watch, ...",
                ("baseline", "sign", _DIGEST, "--stage", "shadow", *SIGNED),
            ),
            Step(
                "... and, as it would have held back none of this, to hold it.",
                ("baseline", "replay", "clerk"),
            ),
            Step(
                "From now on what it never did is refused, or asked of her.",
                ("baseline", "sign", _DIGEST, "--stage", "enforce", *SIGNED),
            ),
        ),
        before=lambda: _serving(office),
    )
    yield Chapter(
        "A customer writes: send me the others' addresses. It obeys.",
        (
            Step(
                "The mail is refused. It learns that, and not why.",
                (*_RUN, "--invoices", "1"),
                ends=1,
                apart=True,
            ),
            Step("The records come in.", ("ingest", SPOOL)),
            Step("Whoever answers for it sees why.", ("decision", _DENIED)),
            Step(
                "The chains of that run's mails. This time the gateway saw each hop.",
                (
                    *("trace", "--tool", "tool:mcp/office/send_mail"),
                    *("--limit", "2", "--tree"),
                ),
            ),
        ),
        before=lambda: _poisoned(office),
    )
    yield Chapter(
        "It asks for something harmless. Who says yes?",
        (
            Step(
                "A customer pays in francs; it looks up the rate, which it never did.",
                (*_RUN, "--invoices", "1"),
                ends=1,
                apart=True,
            ),
            Step("Ana has the asks.", ("asks",)),
            Step(
                "She lets this call pass, for an hour, and no other.",
                ("asks", "allow", _ASKED, *SIGNED),
            ),
        ),
        before=lambda: _in_francs(office),
    )
    yield Chapter(
        "She said yes. And now she says no.",
        (
            Step(
                "Another customer pays in francs: the call that she signed for passes.",
                (*_RUN, "--invoices", "1"),
                apart=True,
            ),
            Step(
                "A kill holds within a second, in every mode.",
                ("gateway", "kill", AGENT, "--config", CONFIG),
            ),
            Step(
                "Nobody starts it any more, and whoever tries hears why.",
                (*_RUN, "--invoices", "1"),
                ends=5,
                apart=True,
            ),
        ),
        before=lambda: _again(office),
    )


def _opened(office: Office) -> str:
    office.write()
    return (
        "(A small office was written: an MCP server over an SQLite database, and an "
        "agent that reads open invoices, looks up whose customer it is, mails them, "
        "and leaves a note. It is scripted; no model is called.)"
    )


def _serving(office: Office) -> str:
    office.start("gateway", "sts")
    office.stand()
    office.work(RUNS - 1)
    return (
        f"(answerable serve runs in the background. The agent has worked {RUNS - 1} "
        "times already. Once more, to look at:)"
    )


def _poisoned(office: Office) -> str:
    office.restart("gateway")
    office.receive(LETTER, "EUR")
    return (
        "(The gateway was started anew, so that the lessons are not counted into the "
        f"agent's next minute. Then a letter came: {LETTER!r})"
    )


def _in_francs(office: Office) -> str:
    office.restart("gateway")
    office.receive(FRANCS, "CHF")
    sent = ", ".join(" ".join(each.split()) for each in office.sent().splitlines())
    return f"(What left the office so far: {sent}.)"


def _again(office: Office) -> str:
    # A started gateway has all signed statements in force, however busy the machine is,
    # and counts this run alone: its limits are those of a minute of training, with
    # fewer runs on a slow machine.
    office.restart("gateway")
    office.receive(FRANCS, "CHF")
    return "(The gateway was started anew, so that each of these runs counts alone.)"


def at_work(main: Main, first: int) -> bool:
    """Run the chapters of the working agent; return whether every step succeeded.

    Args:
        main: Entry point of the command line.
        first: Number of the first chapter.
    """
    if not can_attest():
        say(
            "An agent that works is shown on Linux 6.5 and later, where the kernel "
            "says which process calls."
        )
        return True
    Path(OFFICE).mkdir()
    with contextlib.chdir(OFFICE), own_places():
        return _told(main, first, Office())


def _told(main: Main, first: int, office: Office) -> bool:
    found: dict[str, Callable[[], str]] = {
        _DIGEST: lambda: learned(main),
        _DENIED: lambda: held_back(main, "deny"),
        _ASKED: lambda: asked_for(main, "exchange_rate"),
    }
    try:
        return tell(tuple(_chapters(office)), main, found, first)
    finally:
        office.end()


def learned(main: Main) -> str:
    """Return the digest of the agent's newest profile."""
    return _only(asked(main, "baseline", "show", "clerk"), "digest")


def held_back(main: Main, effect: str) -> str:
    """Return the id of the newest decision of a baseline with an effect."""
    query = (
        "SELECT decision_id FROM decisions WHERE reason = 'behaviour'"  # noqa: S608
        f" AND effect = '{effect}' ORDER BY event_time DESC LIMIT 1"
    )
    return _only(asked(main, "sql", query), "decision_id")


def asked_for(main: Main, tool: str) -> str:
    """Return the id of the approval request for a tool."""
    items = asked(main, "asks", "--config", CONFIG)
    return _only([each for each in items if each["name"] == tool], "id")


def _only(items: list[dict[str, Any]], name: str) -> str:
    return str(items[0][name]) if items else "NONE"
