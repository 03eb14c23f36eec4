"""Compare permissions in force with signed profiles, in a process of its own.

The collector cannot evaluate permissions or profiles: it runs the command that does
(`answerable baseline check --deployed`) and reads its document.
"""

import subprocess
import sys
from pathlib import Path

import msgspec

from answerable.collector.run_result import RunResult

_MAX_PROBLEMS = 20  # lines that are kept of one run
_MAX_SHOWN = 3  # differences in the reason of a failure
_USAGE, _NOT_KNOWN = 2, "not-known"
_ANSWERS = (0, 1, 3)  # exit codes with a document


class _Difference(msgspec.Struct):
    drift: str
    identity: str
    action: str
    resource: str

    def describe(self) -> str:
        """Describe the difference in one line."""
        words = (self.drift, self.action, self.resource)
        return f"{self.identity}: {' '.join(each for each in words if each)}"


class _DriftDocument(msgspec.Struct):
    items: list[_Difference]


def compare_deployed_permissions(store: Path, config: str) -> RunResult:
    """Fail if permissions in force differ from signed profiles.

    What is not known is a problem of the run, never an agreement.

    Args:
        store: Folder of the store.
        config: The configuration.
    """
    command = ["--store", str(store), "-o", "json", "baseline", "check", "--deployed"]
    done = subprocess.run(  # noqa: S603 - this program, with fixed options
        [sys.executable, "-P", "-m", "answerable", *command, "--config", config],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode not in _ANSWERS:
        message = _read_message(done.stderr)
        if done.returncode == _USAGE:  # e.g. no signed baseline is in force
            return RunResult(problems=(message,), is_partial=True)
        return RunResult(message)
    found = msgspec.json.decode(done.stdout, type=_DriftDocument).items
    drift = [each.describe() for each in found if each.drift != _NOT_KNOWN]
    if drift:
        more = f"; and {len(drift) - _MAX_SHOWN:,} more" if drift[_MAX_SHOWN:] else ""
        return RunResult(
            f"{len(drift):,} differences between permissions in force and signed "
            f"profiles: {'; '.join(drift[:_MAX_SHOWN])}{more}"
        )
    problems = tuple(each.describe() for each in found[:_MAX_PROBLEMS])
    return RunResult(problems=problems, is_partial=bool(problems))


def _read_message(stderr: bytes) -> str:
    """Return the first line of an error message."""
    lines = stderr.decode(errors="replace").strip().splitlines()
    return (
        lines[0].removeprefix("error: ")[:500]
        if lines
        else "the process ended without a result"
    )
