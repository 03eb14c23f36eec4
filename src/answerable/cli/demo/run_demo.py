"""`answerable demo`: all chapters on this machine, without outside services.

Each step prints a real command and its output; nothing is computed here that a user
could not get. The sample data and its store are in a folder of their own, which is
removed at the end unless `keep` names one.
"""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from answerable.cli.demo.agent_chapters import OFFICE, at_work
from answerable.cli.demo.folders import own_places
from answerable.cli.demo.inventory_chapters import CHAPTERS, MADE, STORE
from answerable.cli.demo.narration import Main, say, tell
from answerable.cli.sample import audit_log, write_estate
from answerable.connectors.cloudtrail.parse.records import read_record
from answerable.model.event import AuditEvent
from answerable.model.provenance import WrittenBy


def _made(now_ns: int) -> str:
    """Return the event id of the role creation, as ingest computes it."""
    now = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
    for _, record in audit_log.records(now):
        if record["eventName"] == "CreateRole":
            read = read_record(json.dumps(record).encode(), WrittenBy.PLATFORM)
            if isinstance(read, AuditEvent):
                return read.event_id.hex()
    return MADE


def tell_all(main: Main, keep: Path | None = None, *, works: bool = True) -> int:
    """Run all chapters in the working directory.

    Args:
        main: Entry point of the command line: takes argv, returns the exit code.
        keep: Folder to keep sample data and store in; None for a temporary one.
        works: Run the chapters of the working agent, too.

    Returns:
        0 if every step ended as expected, else 1.
    """
    started = time.monotonic()
    with own_places():
        say("A sample estate, written just now; nothing in it is real.")
        say()
        now = time.time_ns()
        write_estate(Path(), now)
        held = tell(CHAPTERS, main, {MADE: lambda: _made(now)})
        if works:
            held = at_work(main, len(CHAPTERS) + 1) and held
    took = time.monotonic() - started
    say(f"That was the whole chain, in {took:.0f} s. On your own machine, try:")
    say()
    say("  answerable where         every path a scan looks at")
    say("  answerable scan          this home and this folder; reads files only")
    say("  answerable agents        what was found, and who answers for it")
    say("  answerable demo --serve  this story in a browser, while it happens")
    if keep is not None:
        say()
        say(f"The estate and its store are in {keep}.")
        say(f"Go on with: ANSWERABLE_STORE={keep / STORE} answerable trace --tree")
        if works:
            say(f"The office and its store are in {keep / OFFICE}.")
    return 0 if held else 1
