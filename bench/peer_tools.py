"""Other tools on the same account, each for its own job.

Every run starts from one file: the answer of get-account-authorization-details for a
generated account. Its processes are timed from interpreter start to exit, in turns.
The tools are commands in an environment made here from requirements/peers.txt.
"""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from bench import command_run
from bench.figures import BenchFigure
from bench.organization.authorization_details import export_account
from bench.organization.generator import generate_organization

ROUNDS = 5
SIZE, QUICK = 1_000, 100


@dataclass(frozen=True, slots=True)
class PeerSetup:
    """Input of all tools.

    Attributes:
        tools: Where the peers' commands are; None where they could not be installed.
        folder: Where to write.
        account: The account, as a file.
        identities: ARNs of users and roles.
    """

    tools: Path | None
    folder: Path
    account: Path
    identities: Sequence[str]


def prepare_peers(root: Path, folder: Path, size: int, seed: int) -> PeerSetup:
    """Write the account and install the tools."""
    made = generate_organization(size, seed, load_catalogue(), single=True)
    number = made.plan.accounts[0].id
    account = folder / f"account-{size}.json"
    account.write_text(json.dumps(export_account(made.facts, number)), encoding="utf-8")
    identities = [member.arn for member in made.plan.members]
    found = install_tools(root, folder, "peers", "iam-ape")
    return PeerSetup(found, folder, account, identities)


def install_tools(root: Path, folder: Path, lock: str, command: str) -> Path | None:
    """Create an environment, or report why there is none.

    Args:
        root: The checkout.
        folder: Where to work.
        lock: Name of what is installed: requirements/LOCK.txt.
        command: One that is there afterwards.

    Returns:
        Where its commands are.
    """
    place = folder / lock
    bin_ = place / "bin"
    if (bin_ / command).exists():
        return bin_
    locked = root / "requirements" / f"{lock}.txt"
    try:
        command_run.run_command((sys.executable, "-m", "venv", str(place)))
        command_run.run_command(
            (
                str(bin_ / "python"), "-m", "pip", "--quiet", "install", "--no-deps",
                "--require-hashes", "--only-binary", ":all:", "-r", str(locked),
            )
        )  # fmt: skip
    except (RuntimeError, OSError) as error:
        sys.stderr.write(f"{lock}: left out, it does not install: {error}\n")
        return None
    return bin_


def tool_version(tools: Path, name: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    done = subprocess.run(
        (str(tools / "python"), "-c", code), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class PeerRunner:
    """A tool with the commands of its job."""

    name: str
    commands: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class PeerContest:
    """One job with its tools; they do different work, as its text says."""

    job: str
    runners: Sequence[PeerRunner]


def list_contests(given: PeerSetup, seed: int) -> Iterator[PeerContest]:
    """List the jobs with their tools."""
    account = str(given.account)
    who = random.Random(seed).choice(given.identities)
    ours = (*command_run.ANSWERABLE, "--store", str(given.folder / "peers-store"))
    scan, reach = (*ours, "scan", f"aws:{account}"), (*ours, "-o", "json", "reach", who)
    runners = [PeerRunner("answerable scan, then reach", (scan, reach))]
    if given.tools:
        name = f"iam-ape {tool_version(given.tools, 'iam-ape')}"
        out = str(given.folder / "out.json")
        ape = str(given.tools / "iam-ape")
        argv = (ape, "--arn", who, "--input", account, "--output", out)
        runners.append(PeerRunner(name, (argv,)))
    yield PeerContest("what one principal may do, from the file", runners)


def measure_peers(
    given: PeerSetup, seed: int, rounds: int, command: str
) -> Iterator[BenchFigure]:
    """Run every contest, interleaved."""
    command = f"{command} --only peers"
    size = f"{len(given.identities):,} principals"
    for contest in list_contests(given, seed):
        walls: dict[str, list[float]] = {one.name: [] for one in contest.runners}
        peaks: dict[str, list[float]] = {one.name: [] for one in contest.runners}
        for _ in range(rounds):
            for one in contest.runners:
                shutil.rmtree(given.folder / "peers-store", ignore_errors=True)
                took = [command_run.run_command(argv) for argv in one.commands]
                walls[one.name].append(sum(each.wall for each in took))
                peaks[one.name].append(max(each.peak for each in took))
        for name, seconds in walls.items():
            what = f"{contest.job}, {size}: {name}"
            yield BenchFigure(what, "s", tuple(seconds), command)
            yield BenchFigure(
                f"{what}, peak memory", "MiB", tuple(peaks[name]), command
            )
