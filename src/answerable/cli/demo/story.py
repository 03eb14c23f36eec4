"""`answerable demo`: all chapters on this machine, without outside services.

Each step prints a real command and then its answer; nothing here computes anything a
user could not ask for. The sample estate and its store lie in a folder of their own
and are removed at the end unless `keep` names one.
"""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from answerable.cli.demo.at_work import OFFICE, at_work
from answerable.cli.demo.estate import CHAPTERS, MADE, STORE
from answerable.cli.demo.places import own_places
from answerable.cli.demo.telling import Main, say, tell
from answerable.cli.sample import trail, write_estate
from answerable.connectors.cloudtrail.parse.records import read_record
from answerable.model.event import AuditEvent
from answerable.model.written import WrittenBy


def _made(now_ns: int) -> str:
    """Return the event id of the role creation, as ingest computes it."""
    now = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
    for _, record in trail.records(now):
        if record["eventName"] == "CreateRole":
            read = read_record(json.dumps(record).encode(), WrittenBy.PLATFORM)
            if isinstance(read, AuditEvent):
                return read.event_id.hex()
    return MADE


def tell_all(main: Main, keep: Path | None = None, *, works: bool = True) -> int:
    """Run all chapters in the working directory.

    Args:
        main: The command line's entry: takes argv, returns the exit code.
        keep: Folder that estate and store are left in; None for a temporary one.
        works: Tell the chapters with an agent that works, too.

    Returns:
        0 when every step ended as it should, else 1.
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
