"""Run the demo chapters with a working agent: baseline, prompt injection, approval."""

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from answerable.cli.demo.chapter_runner import (
    DemoChapter,
    DemoStep,
    Main,
    print_paragraph,
    query_items,
    run_chapters,
)
from answerable.cli.demo.demo_workspace import use_demo_store
from answerable.cli.demo.environment import (
    AGENT,
    AGENT_PROGRAM,
    CONFIG,
    CURRENCY_LETTER,
    INJECTED_LETTER,
    KEY,
    OWNER,
    PASSPHRASES_PATH,
    DemoEnvironment,
    can_attest_processes,
)

TRAINING_RUNS = 9  # runs of the training
SPOOL = "gateway:store/gateway/spool"
OFFICE_FOLDER = "office"  # its folder
KEY_OPTIONS = ("--key", KEY, "--passphrase-file", PASSPHRASES_PATH)
_DIGEST, _DENIED, _ASKED = "DIGEST", "DENIED", "ASKED"
_RUN_COMMAND = ("run", "--agent", "clerk", "--", AGENT_PROGRAM)


def _build_chapters(office: DemoEnvironment) -> Iterable[DemoChapter]:
    """Yield the chapters: declare the agent, run it, sign its baseline, attack it."""
    yield DemoChapter(
        "An agent starts to work. Who owns it?",
        (
            DemoStep(
                "answerable.yaml declares the agent, its owner and the tools that "
                "it may call.",
                ("scan", f"config:{CONFIG}"),
            ),
            DemoStep(
                "A file alone proves nothing. Ana creates a key and has it enrolled, "
                "...",
                ("owner-keys", "new", "--person", OWNER, *KEY_OPTIONS),
            ),
            DemoStep(
                "... which an administrator does, ...",
                ("owner-keys", "enroll", f"{KEY}.pub", "--person", OWNER),
            ),
            DemoStep(
                "... and signs that she owns the agent.",
                ("attest", AGENT, "--owner", OWNER, *KEY_OPTIONS),
            ),
        ),
        before=lambda: _prepare_office(office),
    )
    yield DemoChapter(
        "The agent works. What is its usual behaviour?",
        (
            DemoStep(
                "The agent has no key: the kernel attests who started it, and a "
                "rule allows it to act for ana. Here it runs as the same user, so "
                "enforcement is advisory; --user makes it a boundary.",
                (*_RUN_COMMAND, "--invoices", "2"),
                own_process=True,
            ),
            DemoStep("Read the gateway's records into the store.", ("ingest", SPOOL)),
            DemoStep("Learn a baseline from them.", ("baseline", "learn", "clerk")),
            DemoStep(
                "The baseline reports too few samples. The demo is short, so Ana "
                "signs it anyway: first in shadow mode, ...",
                ("baseline", "sign", _DIGEST, "--stage", "shadow", *KEY_OPTIONS),
            ),
            DemoStep(
                "... and, as shadow mode would have blocked nothing, then in "
                "enforce mode.",
                ("baseline", "replay", "clerk"),
            ),
            DemoStep(
                "From now on, new behaviour is refused or requires her approval.",
                ("baseline", "sign", _DIGEST, "--stage", "enforce", *KEY_OPTIONS),
            ),
        ),
        before=lambda: _start_servers(office),
    )
    yield DemoChapter(
        "A customer's letter asks for the addresses of other customers. The agent "
        "obeys.",
        (
            DemoStep(
                "The mail is refused. The agent does not learn the reason.",
                (*_RUN_COMMAND, "--invoices", "1"),
                exit_code=1,
                own_process=True,
            ),
            DemoStep("Read the new records.", ("ingest", SPOOL)),
            DemoStep("The owner sees the reason.", ("decision", _DENIED)),
            DemoStep(
                "The chains of the mails of that run. This time the gateway "
                "observed each hop.",
                (
                    "trace",
                    "--tool",
                    "tool:mcp/office/send_mail",
                    "--limit",
                    "2",
                    "--tree",
                ),
            ),
        ),
        before=lambda: _receive_injection(office),
    )
    yield DemoChapter(
        "The agent needs a harmless exception. Who approves it?",
        (
            DemoStep(
                "A customer pays in francs; the agent looks up the rate for the "
                "first time.",
                (*_RUN_COMMAND, "--invoices", "1"),
                exit_code=1,
                own_process=True,
            ),
            DemoStep("Ana lists the approval requests.", ("asks",)),
            DemoStep(
                "She allows only this call, for one hour.",
                ("asks", "allow", _ASKED, *KEY_OPTIONS),
            ),
        ),
        before=lambda: _receive_currency_change(office),
    )
    yield DemoChapter(
        "She approved the call. Now she kills the agent.",
        (
            DemoStep(
                "Another customer pays in francs: the approved call passes.",
                (*_RUN_COMMAND, "--invoices", "1"),
                own_process=True,
            ),
            DemoStep(
                "A kill takes effect within a second, in every mode.",
                ("gateway", "kill", AGENT, "--config", CONFIG),
            ),
            DemoStep(
                "The agent can no longer be started; `run` prints the reason.",
                (*_RUN_COMMAND, "--invoices", "1"),
                exit_code=5,
                own_process=True,
            ),
        ),
        before=lambda: _restart_gateway(office),
    )


def _prepare_office(office: DemoEnvironment) -> str:
    """Write the sample office, and return the text that says so."""
    office.write_files()
    return (
        "(The demo created a small office: an MCP server over an SQLite database, "
        "and an agent. The agent reads open invoices, looks up the customer, sends a "
        "mail, and writes a note. It is scripted; no model is called.)"
    )


def _start_servers(office: DemoEnvironment) -> str:
    """Start gateway and token service, and run the agent for training."""
    office.start_servers("gateway", "sts")
    office.wait_until_ready()
    office.run_agent(TRAINING_RUNS - 1)
    return (
        "(answerable serve runs in the background. The agent has completed "
        f"{TRAINING_RUNS - 1} runs. This is one more:)"
    )


def _receive_injection(office: DemoEnvironment) -> str:
    """Restart the gateway, and deliver a letter with a prompt injection."""
    office.restart_server("gateway")
    office.receive_letter(INJECTED_LETTER, "EUR")
    return (
        "(The gateway was restarted so that the training runs do not count towards "
        f"the agent's next minute. Then a letter arrived: {INJECTED_LETTER!r})"
    )


def _receive_currency_change(office: DemoEnvironment) -> str:
    """Restart the gateway, and deliver an invoice in another currency."""
    office.restart_server("gateway")
    office.receive_letter(CURRENCY_LETTER, "CHF")
    sent = ", ".join(
        " ".join(each.split()) for each in office.list_sent_mail().splitlines()
    )
    return f"(Mails sent so far: {sent}.)"


def _restart_gateway(office: DemoEnvironment) -> str:
    # A started gateway has all signed statements in force, however busy the machine is,
    # and counts this run alone: its limits are those of a minute of training, with
    # fewer runs on a slow machine.
    """Restart the gateway so that earlier calls do not count in its next minute."""
    office.restart_server("gateway")
    office.receive_letter(CURRENCY_LETTER, "CHF")
    return "(The gateway was restarted so that each of these runs counts separately.)"


def run_agent_chapters(main: Main, first_number: int) -> bool:
    """Run the chapters of the working agent; return whether every step succeeded.

    Args:
        main: Entry point of the command line.
        first_number: Number of the first chapter.
    """
    if not can_attest_processes():
        print_paragraph(
            "The chapters with a running agent require Linux 6.5 or later, where "
            "the kernel identifies the calling process."
        )
        return True
    Path(OFFICE_FOLDER).mkdir()
    with contextlib.chdir(OFFICE_FOLDER), use_demo_store():
        return _run_chapters(main, first_number, DemoEnvironment())


def _run_chapters(main: Main, first_number: int, office: DemoEnvironment) -> bool:
    """Run the chapters, and end all servers of the demo."""
    found: dict[str, Callable[[], str]] = {
        _DIGEST: lambda: find_profile_digest(main),
        _DENIED: lambda: find_baseline_decision(main, "deny"),
        _ASKED: lambda: find_approval_request(main, "exchange_rate"),
    }
    try:
        return run_chapters(tuple(_build_chapters(office)), main, found, first_number)
    finally:
        office.end_servers()


def find_profile_digest(main: Main) -> str:
    """Return the digest of the agent's newest profile."""
    return _get_first_value(query_items(main, "baseline", "show", "clerk"), "digest")


def find_baseline_decision(main: Main, effect: str) -> str:
    """Return the id of the newest decision that a baseline made with this effect."""
    query = (
        "SELECT decision_id FROM decisions WHERE reason = 'behaviour'"  # noqa: S608
        f" AND effect = '{effect}' ORDER BY event_time DESC LIMIT 1"
    )
    return _get_first_value(query_items(main, "sql", query), "decision_id")


def find_approval_request(main: Main, tool: str) -> str:
    """Return the id of the demo's approval request for a tool."""
    items = query_items(main, "asks", "--config", CONFIG)
    return _get_first_value([each for each in items if each["name"] == tool], "id")


def _get_first_value(items: list[dict[str, Any]], field: str) -> str:
    """Return a field of the first item, `NONE` if there is none."""
    return str(items[0][field]) if items else "NONE"
