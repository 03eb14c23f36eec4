"""Run every foreign client: `python -m tests.sts.foreign [--page]`, or `make foreign`.

Exit code 0 where each got what it came for, else 1.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.sts.foreign.client_journeys import JOURNEYS, ClientJourney, run_journey
from tests.sts.foreign.environment import ForeignEnvironment, run_environment
from tests.sts.foreign.issuer import ROOT
from tests.sts.foreign.page import page

PAGE = ROOT / "docs" / "foreign-clients.md"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _tried(journey: ClientJourney, stage: ForeignEnvironment) -> str:
    """Send one on its way; say why it failed, nothing where it did not."""
    try:
        run_journey(journey, stage)
    except Exception as error:  # noqa: BLE001 - the others run all the same
        _say(f"failed: {journey.id}: {error}")
        return str(error) or type(error).__name__
    _say(f"works: {journey.id}")
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sts.foreign")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.name}")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        run_environment(Path(folder)) as stage,
    ):
        results = [(journey, _tried(journey, stage)) for journey in JOURNEYS]
    if asked.page:
        PAGE.write_text(page(results))
    return 1 if any(failed for _, failed in results) else 0


if __name__ == "__main__":
    sys.exit(main())
