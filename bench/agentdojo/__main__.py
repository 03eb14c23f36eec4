"""`make agentdojo`: run honest and hijacked agents and print the results.

With `--page` it writes docs/baseline-measured.md, too.
"""

import argparse
import importlib.metadata
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from bench import machine_facts
from bench.agentdojo import (
    frontier,
    held_out_suite,
    learning_curve,
    logged_runs,
    poisoning,
    report,
    simple_rules_report,
)
from bench.agentdojo.result_shares import SEED
from bench.agentdojo.suites import VERSION

PARTS = {
    "baseline": frontier,
    "curve": learning_curve,
    "poison": poisoning,
    "rules": simple_rules_report,
    "logged": logged_runs,
    "travel": held_out_suite,
}
TITLES = [title for part in PARTS.values() for title in part.TITLES]
ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "baseline-measured.md"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the trials, print and write the results; return the exit code."""
    parser = argparse.ArgumentParser(prog="make agentdojo", description=__doc__)
    parser.add_argument(
        "--only", default=",".join(PARTS), help="of " + ", ".join(PARTS)
    )
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(argv)
    parts = options.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(
            f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}"
        )
    # AgentDojo's and its libraries' own.
    warnings.simplefilter("ignore")
    facts = machine_facts.collect_facts(ROOT, SEED)
    version = importlib.metadata.version("agentdojo")
    facts["AgentDojo"] = f"{version}, suites {VERSION}"
    sections = [section for part in parts for section in PARTS[part].sections()]
    facts["load after"] = machine_facts.load_average()
    for section in sections:
        sys.stdout.write("\n" + report.render_plain(section) + "\n")
    if options.page:
        before = PAGE.read_text("utf-8") if PAGE.exists() else ""
        PAGE.write_text(
            report.render_page(facts, sections, TITLES, before), encoding="utf-8"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
