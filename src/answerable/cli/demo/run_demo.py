"""Run all demo chapters in the terminal, without outside services.

Each step prints a real command and its output; nothing is computed here that a user
could not get. The sample data and its store are in a folder of their own, which is
removed at the end unless `keep` names one.
"""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from answerable.cli.demo.agent_chapters import OFFICE_FOLDER, run_agent_chapters
from answerable.cli.demo.chapter_runner import Main, print_paragraph, run_chapters
from answerable.cli.demo.demo_workspace import use_demo_store
from answerable.cli.demo.opening_chapters import CHAPTERS, EVENT_PLACEHOLDER, STORE
from answerable.cli.sample import audit_log, write_sample
from answerable.connectors.cloudtrail.parse.records import parse_record
from answerable.model.event import AuditEvent


def _find_event_id(now_ns: int) -> str:
    """Return the event id of the role creation, as ingest computes it."""
    now = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
    for _, record in audit_log.iterate_records(now):
        if record["eventName"] == "CreateRole":
            read = parse_record(json.dumps(record).encode(), {})
            if isinstance(read, AuditEvent):
                return read.event_id.hex()
    return EVENT_PLACEHOLDER


def run_demo(
    main: Main, kept_folder: Path | None = None, *, with_agent: bool = True
) -> int:
    """Run all demo chapters in the working directory, and return the exit code.

    Args:
        main: Entry point of the command line: takes argv, returns the exit code.
        kept_folder: Folder to keep sample data and store in; None for a temporary one.
        with_agent: Run the chapters of the working agent, too.

    Returns:
        0 if every step ended as expected, else 1.
    """
    started = time.monotonic()
    with use_demo_store():
        print_paragraph(
            "This demo has created a sample environment; nothing in it is real."
        )
        print_paragraph()
        now = time.time_ns()
        write_sample(Path(), now)
        held = run_chapters(
            CHAPTERS, main, {EVENT_PLACEHOLDER: lambda: _find_event_id(now)}
        )
        if with_agent:
            held = run_agent_chapters(main, len(CHAPTERS) + 1) and held
    took = time.monotonic() - started
    print_paragraph(
        f"That was the whole chain, in {took:.0f} s. On your own machine, try:"
    )
    print_paragraph()
    print_paragraph("  answerable where         all paths that a scan reads")
    print_paragraph(
        "  answerable scan          scan this home and this folder; reads only files"
    )
    print_paragraph("  answerable agents        list the agents with their owners")
    print_paragraph("  answerable demo --serve  follow the agent live in a browser")
    if kept_folder is not None:
        print_paragraph()
        print_paragraph(f"The sample and its store are in {kept_folder}.")
        print_paragraph(
            f"Continue with: ANSWERABLE_STORE={kept_folder / STORE} answerable "
            "trace --tree"
        )
        if with_agent:
            print_paragraph(
                f"The office and its store are in {kept_folder / OFFICE_FOLDER}."
            )
    return 0 if held else 1
