"""Run the suite both ways: `python -m tests.mcp.conformance`, or `make conformance`.

Exit code 0 where every check ends alike and every scored one passes, else 1.
"""

import argparse
import datetime
import importlib.metadata
import sys
import tempfile
from pathlib import Path

from tests.mcp.conformance import suite
from tests.mcp.conformance.delta import differences
from tests.mcp.conformance.page import page
from tests.mcp.conformance.suite import Run
from tests.mcp.gateway import with_token_added
from tests.mcp.running import ROOT, server

PAGE = ROOT / "docs" / "conformance.md"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _direct(sets: list[str]) -> bool:
    """Run at the server alone; say whether every scored check passed."""
    with server() as url:
        runs = {name: suite.run(url, name) for name in sets}
    for name, run in runs.items():
        _say(f"{name}: {_counts(run)}")
    return not any(run.count("FAILURE", scored=True) for run in runs.values())


def _both(sets: list[str], workers: int, *, write: bool) -> bool:
    """Run both ways; say whether all is passed and alike."""
    with tempfile.TemporaryDirectory() as folder, server() as url:
        direct = {name: suite.run(url, name) for name in sets}
        with with_token_added(Path(folder), {"url": url}, workers) as through:
            pairs = {name: (direct[name], suite.run(through, name)) for name in sets}
    deltas = {name: list(differences(*pair)) for name, pair in pairs.items()}
    for name, (straight, passed) in pairs.items():
        _say(f"{name}, direct: {_counts(straight)}")
        _say(f"{name}, through the gateway: {_counts(passed)}")
        _say(f"{name}, delta: {len(deltas[name])}")
        for one in deltas[name]:
            _say(f"  {one.scenario} {one.check}: {one.direct} -> {one.through}")
            if one.said:
                _say(f"    {one.said[:500]}")
    if write:
        PAGE.write_text(page(_told(), pairs, deltas))
    failed = any(run.count("FAILURE", scored=True) for run in direct.values())
    return not failed and not any(deltas.values())


def _told() -> dict[str, str]:
    """Say what was run, with what and when."""
    package = "@modelcontextprotocol/conformance"
    return {
        "suite": f"{package} {suite.version(package)}",
        "MCP Python SDK of the server": importlib.metadata.version("mcp"),
        "answerable": importlib.metadata.version("answerable"),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _counts(run: Run) -> str:
    passed, failed = (
        run.count(status, scored=True) for status in ("SUCCESS", "FAILURE")
    )
    return f"{passed} scored checks passed, {failed} failed"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mcp.conformance")
    parser.add_argument("--set", choices=suite.SETS, action="append", dest="sets")
    parser.add_argument("--direct", action="store_true", help="without the gateway")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--page", action="store_true", help="write docs/conformance.md")
    asked = parser.parse_args()
    sets = asked.sets or list(suite.SETS)
    whole = (
        _direct(sets) if asked.direct else _both(sets, asked.workers, write=asked.page)
    )
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
