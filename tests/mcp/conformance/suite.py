"""Run the suite from npm at a URL, and read what it found."""

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mcp.running import NODE_HOME, node

CLI = NODE_HOME / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
SETS = ("2026-07-28", "2025-11-25")
RUN_SECONDS = 300

Key = tuple[str, str, str]  # scenario, id, name
Checks = Mapping[Key, Counter[str]]  # how often it ended how: ids repeat


class SuiteError(Exception):
    """The suite itself did not run to its end."""


@dataclass(frozen=True)
class Run:
    """One requirement set at one URL.

    Attributes:
        checks: Every check that was made, information left out.
        unscored: Scenarios that are run and do not count.
        said: What the failures said, by the same key.
    """

    checks: Checks
    unscored: frozenset[str]
    said: Mapping[Key, str]

    def count(self, status: str, *, scored: bool) -> int:
        """Count the checks that ended so."""
        return sum(
            ended[status]
            for (scenario, _, _), ended in self.checks.items()
            if (scenario not in self.unscored) is scored
        )


def version(package: str) -> str:
    """Return the installed version of an npm package."""
    path = NODE_HOME / "node_modules" / package / "package.json"
    return str(json.loads(path.read_text())["version"])


def run(url: str, requirements: str) -> Run:
    """Run one requirement set at `url`.

    Raises:
        SuiteError: If it is not installed, runs out of time or leaves no results.
    """
    if not CLI.exists():
        raise SuiteError("not installed: run `make conformance`")
    with tempfile.TemporaryDirectory() as folder:
        command = [node(), str(CLI), "server", "--url", url]
        command += ["--requirements", requirements, "--output-dir", folder]
        # Its exit code says only whether all passed, and the checks say that, too.
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
        )
        found = sorted(Path(folder).glob("server-*/checks.json"))
        if not found or "=== SUMMARY ===" not in done.stdout:
            raise SuiteError(done.stderr[-2000:] or done.stdout[-2000:])
        return read(found, done.stdout)


def _unscored(said: str) -> frozenset[str]:
    """Read the list at the end: `  x tasks-lifecycle (extension)`."""
    _, _, tail = said.partition("Not scored for")
    rows = (line.split() for line in tail.splitlines()[1:])
    return frozenset(row[1] for row in rows if len(row) == 3)


def read(found: list[Path], summary: str) -> Run:
    """Read the files of every scenario, and what the suite printed at the end."""
    checks: dict[Key, Counter[str]] = {}
    said: dict[Key, str] = {}
    for path in found:
        # server-NAME-2026-11-24T22-28-03-662Z: the time has five dashes.
        scenario = path.parent.name.removeprefix("server-").rsplit("-", 6)[0]
        for check in json.loads(path.read_text()):
            if check["status"] == "INFO":
                continue
            key = (scenario, check["id"], check["name"])
            checks.setdefault(key, Counter())[check["status"]] += 1
            if check.get("errorMessage"):
                said[key] = check["errorMessage"]
    return Run(checks, _unscored(summary), said)
