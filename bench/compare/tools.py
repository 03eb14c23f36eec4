"""Tools under comparison: how each is started, and how its output becomes records."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import command_run
from bench.compare.fixtures import CompareFixtures

_TIMEOUT = 300
_MACHINE_PLACE = re.compile(r" \(/[^)]*\)")  # of a module, in an error
_ERROR = 200  # characters of an error that the page shows


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """Output of one command of a tool.

    Attributes:
        command: Command with the places of the fixtures shortened.
        records: Parts of the output that may answer a question.
        problem: Last line of the error, if the command did not run.
    """

    command: str
    records: Sequence[str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ComparedTool:
    """Tool with its commands.

    Attributes:
        name: Name, and the name of its package.
        package: Distribution whose version is shown; empty for ours.
        run: Runs its commands on the fixtures; yields each answer with the numbers of
            the questions that it may answer.
        not_run: Questions for which it needs a live account.
    """

    name: str
    package: str
    run: Callable[[CompareFixtures, Path], Iterator[tuple[Sequence[int], ToolAnswer]]]
    not_run: Sequence[int] = ()


def list_records(text: str) -> list[str]:
    """Split an output into records: JSON objects, else lines."""
    try:
        return [json.dumps(each) for each in _iterate_objects(json.loads(text))]
    except ValueError:
        pass
    lines = text.splitlines()
    try:
        parsed = [json.loads(line) for line in lines if line.strip()]
    except ValueError:
        return lines
    return [json.dumps(each) for part in parsed for each in _iterate_objects(part)]


def _iterate_objects(value: Any) -> Iterator[object]:
    """Yield the elements of each list in a document: the records of an answer."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _iterate_objects(each)
    elif isinstance(value, list):
        for each in value:
            yield each
            yield from _iterate_objects(each)


def run_tool(
    argv: Sequence[str],
    given: CompareFixtures,
    *,
    output: Path | None = None,
    reads: Callable[[str], list[str]] = list_records,
) -> ToolAnswer:
    """Run one command with the home of the fixtures and without a network.

    Args:
        output: File that the command writes; None for standard output.
        reads: Splits the output into records.
    """
    environment = {
        "HOME": str(given.home),
        "PATH": os.environ.get("PATH", ""),
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
    try:
        done = subprocess.run(
            [*argv],
            env=environment,
            cwd=given.home.parent,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return ToolAnswer(shorten(argv, given), (), f"{type(error).__name__}")
    text = done.stdout
    if output is not None:
        text = output.read_text(encoding="utf-8") if output.exists() else ""
    problem = ""
    if "Traceback" in done.stderr or (done.returncode and not text):
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = lines[-1][:_ERROR] if lines else f"exit code {done.returncode}"
        problem = _MACHINE_PLACE.sub("", said)
    return ToolAnswer(shorten(argv, given), reads(text), problem)


def shorten(argv: Sequence[str], given: CompareFixtures) -> str:
    """Return a command without the places of this machine."""
    root = str(given.home.parent)
    words = [
        Path(argv[0]).name,
        *(each.replace(f"{root}/", "").replace(root, ".") for each in argv[1:]),
    ]
    text = " ".join(words)
    return text.replace("python -m answerable", "answerable")


def run_answerable(
    given: CompareFixtures, tools: Path
) -> Iterator[tuple[Sequence[int], ToolAnswer]]:
    """Run our own commands on two snapshots."""
    del tools
    store = ("--store", str(given.home.parent / "store"))
    ours = (*command_run.ANSWERABLE, *store)
    shop = (f"repo:{given.shop}", f"repo:{given.lab}")
    run_tool(
        (*ours, "scan", f"home:{given.home}", *shop, f"aws:{given.account}"), given
    )
    for questions, words in (
        ((0,), ("-o", "json", "agents")),
        ((1, 2, 3, 4, 5, 6, 8), ("-o", "json", "findings")),
        ((6,), ("-o", "json", "reach", "--all")),
        (
            (7,),
            ("-o", "json", "who-can", "s3:GetObject", "arn:aws:s3:::personal-data/*"),
        ),
        ((8,), ("-o", "json", "agents")),
    ):
        yield questions, run_tool((*ours, *words), given)
    after = given.home.parent / "account-after.json"
    file = given.account.read_text(encoding="utf-8")
    changed = after.read_text(encoding="utf-8")
    given.account.write_text(changed, encoding="utf-8")
    run_tool((*ours, "scan", f"aws:{given.account}"), given)
    given.account.write_text(file, encoding="utf-8")
    yield (9,), run_tool((*ours, "-o", "json", "diff"), given)
    sides = (str(given.shop), str(given.shop_after))
    yield (9,), run_tool((*ours, "-o", "json", "diff", *sides), given)


def run_zizmor(
    given: CompareFixtures, tools: Path
) -> Iterator[tuple[Sequence[int], ToolAnswer]]:
    """Run zizmor on the workflows."""
    places = (str(given.shop / ".github"), str(given.lab / ".github"))
    argv = (str(tools / "zizmor"), "--offline", "--format", "json", *places)
    yield (4, 5), run_tool(argv, given)


def run_detect_secrets(
    given: CompareFixtures, tools: Path
) -> Iterator[tuple[Sequence[int], ToolAnswer]]:
    """Run detect-secrets on the home."""
    argv = (str(tools / "detect-secrets"), "scan", "--all-files", str(given.home))
    yield (1, 2), run_tool(argv, given)


def run_cloudsplaining(
    given: CompareFixtures, tools: Path
) -> Iterator[tuple[Sequence[int], ToolAnswer]]:
    """Run cloudsplaining on the account."""
    out = given.home.parent / "cloudsplaining"
    out.mkdir()
    argv = (
        *(str(tools / "cloudsplaining"), "scan", "--skip-open-report"),
        *("--input-file", str(given.account), "--output", str(out)),
    )
    results = out / "iam-results-account.json"
    yield (6, 7), run_tool(argv, given, output=results, reads=_list_risky_policies)


def _list_risky_policies(text: str) -> list[str]:
    """List the risks of each policy with the identities that have it."""
    found = []
    document = json.loads(text) if text else {}
    for kind in ("inline_policies", "customer_managed_policies"):
        for policy in document.get(kind, {}).values():
            for risk in ("PrivilegeEscalation", "DataExfiltration"):
                named = policy.get(risk, {}).get("findings", [])
                for holders, names in policy["AttachedTo"].items():
                    word = holders.removesuffix("s")
                    found += [
                        f"{risk}: {word}/{name}: {json.dumps(named)}"
                        for name in names
                        if named
                    ]
    return found


def run_parliament(
    given: CompareFixtures, tools: Path
) -> Iterator[tuple[Sequence[int], ToolAnswer]]:
    """Run parliament on the account."""
    file = ("--auth-details-file", str(given.account))
    yield (6, 7), run_tool((str(tools / "parliament"), *file, "--json"), given)


def run_principal_mapper(
    given: CompareFixtures, tools: Path
) -> Iterator[tuple[Sequence[int], ToolAnswer]]:
    """Start PMapper, which reads live accounts alone."""
    yield (6, 7), run_tool((str(tools / "pmapper"), "--help"), given)
