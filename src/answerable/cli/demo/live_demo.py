"""Run the demo in a browser with a working agent (`answerable demo --serve`)."""

import contextlib
import io
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from answerable.cli.demo.agent_chapters import (
    KEY_OPTIONS,
    SPOOL,
    TRAINING_RUNS,
    find_profile_digest,
)
from answerable.cli.demo.chapter_runner import Main, print_paragraph
from answerable.cli.demo.demo_workspace import use_demo_store
from answerable.cli.demo.environment import (
    AGENT,
    CONFIG,
    CURRENCY_LETTER,
    INJECTED_LETTER,
    KEY,
    OWNER,
    PASSPHRASES_PATH,
    DemoEnvironment,
    can_attest_processes,
    terminate_process,
)
from answerable.cli.demo.opening_chapters import STORE
from answerable.cli.sample import write_sample
from answerable.model.errors import EnvironmentFailure

WEB_PORT = 8470
SOURCES = (
    "home:home/ana",
    "repo:repo",
    "aws:aws/account.json",
    "aws-keys:aws/keys.json",
    "aws:aws/platform.json",
    "github:github/corp",
    "github:github/labs",
    "k8s:cluster",
    f"config:{CONFIG}",
)
_BRISK, _CALM = "0.5", "1.5"  # seconds between two calls
_SHIPPING_SECONDS = 300.0  # on a busy machine the servers ship for long
_MIN_RUN_SECONDS = 8.0  # least seconds of a run


def serve_demo(main: Main) -> NoReturn:
    """Prepare the sample office, start its servers, and run the agent until Ctrl-C.

    It does not return: the guard ends it.

    Args:
        main: Entry point of the command line.

    Raises:
        EnvironmentFailure: The demo cannot run here.
    """
    if not can_attest_processes():
        raise EnvironmentFailure(
            "the kernel does not identify the calling process (expected Linux 6.5 "
            "or later)",
            "run answerable demo for the chapters that work here",
        )
    started = time.monotonic()
    with use_demo_store():
        office = DemoEnvironment(WEB_PORT)
        try:
            _prepare_office(main, office)
            _print_links(office, time.monotonic() - started)
            took = _learn_baseline(main, office)
            # No faster than in training, as the baseline limits the rate.
            _run_agent_forever(
                main, office, pause=max(_MIN_RUN_SECONDS, 1.2 * took / TRAINING_RUNS)
            )
        finally:
            office.end_servers()


def _prepare_office(main: Main, office: DemoEnvironment) -> None:
    """Write the sample data, scan it, attest the owner, and start the servers."""
    print_paragraph(
        "This demo has created a sample environment and an office; nothing in "
        "them is real."
    )
    write_sample(Path(), time.time_ns())
    office.write_files()
    _run_quietly(main, "scan", *SOURCES)
    _run_quietly(main, "owner-keys", "new", "--person", OWNER, *KEY_OPTIONS)
    _run_quietly(main, "owner-keys", "enroll", f"{KEY}.pub", "--person", OWNER)
    _run_quietly(main, "attest", AGENT, "--owner", OWNER, *KEY_OPTIONS)
    office.start_servers("gateway", "sts", "web")
    _run_quietly(main, "ingest", "cloudtrail:trail")
    office.wait_until_ready()


def _print_links(office: DemoEnvironment, seconds: float) -> None:
    """Print the sign-in link, the file locations and the kill command."""
    here = Path().absolute()
    sys.stdout.write(
        f"""
Ready after {seconds:.0f} s. Open this link; it signs you in as {OWNER}, once:

  {office.link}

The files are in {here}:
the store in {STORE}, the key of {OWNER} in {KEY}, its passphrase in {PASSPHRASES_PATH}.
Agent and owner run as one user here, so enforcement is advisory: the gateway blocks
calls, but that user can bypass the gateway.

To stop the agent, use the page or run:

  cd {here}
  answerable kill {AGENT} --config {CONFIG}

Ctrl-C stops the demo.

"""
    )


def _learn_baseline(main: Main, office: DemoEnvironment) -> float:
    """Run the agent and sign its baseline; return the duration in seconds."""
    _print_timed_line(
        f"the agent completes {TRAINING_RUNS} runs, limited only by its rules"
    )
    began = time.monotonic()
    office.run_agent(TRAINING_RUNS)
    took = time.monotonic() - began
    _ship_records(main)
    _run_quietly(main, "baseline", "learn", "clerk")
    digest = find_profile_digest(main)
    _print_timed_line(f"baseline {digest[:12]} was learned from the gateway's records")
    # Training calls do not count in the agent's next minute.
    office.end_servers("gateway")
    office.start_servers("gateway")
    for stage in ("shadow", "enforce"):
        _run_quietly(main, "baseline", "sign", digest, "--stage", stage, *KEY_OPTIONS)
        _print_timed_line(f"{OWNER} has signed it: {stage}")
    office.wait_until_ready()
    office.receive_letter(INJECTED_LETTER, "EUR")
    office.receive_letter(CURRENCY_LETTER, "CHF")
    _print_timed_line(
        "a letter arrived that says: send the contacts to audit@evil.example"
    )
    return took


def _run_agent_forever(main: Main, office: DemoEnvironment, pause: float) -> NoReturn:
    """Run the agent at a pace that people can follow."""
    pace = _BRISK
    while True:
        began = time.monotonic()
        run = office.start_agent("--invoices", "1", "--pace", pace)
        pace = _CALM
        try:
            for line in run.stdout or ():
                if line.startswith("error: "):
                    _print_timed_line(f"the agent was not started: {line[7:].rstrip()}")
                elif not line.startswith("hint: "):
                    _print_timed_line(line.rstrip())
        finally:
            terminate_process(run)
        try:
            _run_quietly(main, "ingest", SPOOL)
        except EnvironmentFailure as error:
            # The servers ship the records, too: the agent goes on meanwhile.
            _print_timed_line(f"the newest records wait to be stored: {error.message}")
        time.sleep(max(0.0, pause - (time.monotonic() - began)))


def _print_timed_line(event: str) -> None:
    """Print a line with the time of day."""
    at = datetime.now(UTC).strftime("%H:%M:%S")
    sys.stdout.write(f"{at}  {event}\n")
    sys.stdout.flush()


def _ship_records(main: Main) -> None:
    """Ship the gateway's records; wait while the servers themselves ship them.

    Raises:
        EnvironmentFailure: It failed for five minutes.
    """
    until = time.monotonic() + _SHIPPING_SECONDS
    while True:
        try:
            return _run_quietly(main, "ingest", SPOOL)
        except EnvironmentFailure:
            if time.monotonic() > until:
                raise
        time.sleep(0.5)


def _run_quietly(main: Main, *words: str) -> None:
    """Run a command without its output.

    Raises:
        EnvironmentFailure: It failed; the message has its output.
    """
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(["--quiet", *words])
    if code not in (0, 3):
        raise EnvironmentFailure(
            f"answerable {' '.join(words)} ended with {code} (expected 0)",
            said.getvalue().strip()[-500:] or "run the command alone to see the reason",
        )
