"""Run tools of others on our fixtures, and write docs/compare.md."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.compare import agent_bom, tools
from bench.compare.fixtures import write_fixtures
from bench.compare.page import ToolResult, build_page
from bench.compare.questions import QUESTIONS
from bench.compare.tools import ComparedTool, ToolAnswer

TOOLS = (
    ComparedTool("answerable", "", tools.run_answerable),
    ComparedTool("agent-bom", "agent-bom", agent_bom.run_agent_bom, (6, 7)),
    ComparedTool("agent-bom, server", "agent-bom", agent_bom.run_server, (6, 7, 9)),
    ComparedTool("zizmor", "zizmor", tools.run_zizmor),
    ComparedTool("detect-secrets", "detect-secrets", tools.run_detect_secrets),
    ComparedTool("cloudsplaining", "cloudsplaining", tools.run_cloudsplaining),
    ComparedTool("parliament", "parliament", tools.run_parliament),
    ComparedTool("PMapper", "principalmapper", tools.run_principal_mapper),
)


def main(argv: Sequence[str]) -> int:
    """Run each tool in a copy of the fixtures of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", type=Path, required=True, metavar="BIN")
    parser.add_argument("--page", type=Path, default=None, metavar="FILE")
    parser.add_argument("--only", default="", metavar="NAME")
    options = parser.parse_args(argv)
    results = [
        run_compared_tool(each, options.tools.absolute())
        for each in TOOLS
        if options.only in ("", each.name)
    ]
    text = build_page(results, datetime.now(UTC).date())
    if options.page is None or options.only:
        sys.stdout.write(text)
    else:
        options.page.write_text(text, encoding="utf-8")
    return 0


def run_compared_tool(tool: ComparedTool, bin_: Path) -> ToolResult:
    """Run all commands of a tool, and compare their output with the facts."""
    sys.stderr.write(f"{tool.name}\n")
    records: dict[int, list[str]] = {}
    commands: list[ToolAnswer] = []
    with tempfile.TemporaryDirectory(prefix="compare-") as folder:
        for numbers, answer in tool.run(write_fixtures(Path(folder)), bin_):
            commands.append(answer)
            for number in numbers:
                records.setdefault(number, []).extend(answer.records)
    answered = {
        number: (
            QUESTIONS[number].find_answered(found),
            QUESTIONS[number].find_wrong(found),
        )
        for number, found in records.items()
    }
    version = _find_version(tool, bin_)
    return ToolResult(tool.name, version, answered, commands, tool.not_run)


def _find_version(tool: ComparedTool, bin_: Path) -> str:
    """Return the version of a tool's distribution."""
    if not tool.package:
        return ""
    code = f"import importlib.metadata as m; print(m.version({tool.package!r}))"
    done = subprocess.run(
        (str(bin_ / "python"), "-c", code), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
