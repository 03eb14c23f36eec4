"""Repeated race tests: attestation, attenuation, replicas.

Each is a command of its own among the tests; a row says how often it was run, and how
often somebody got what was not theirs. Run as `python -m bench --only races`.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import command_run
from bench.figures import BenchFigure, BenchRemark, Line, at_least, at_most
from tests.server.processes.attestation_races import KINDS, NEEDS_ROOT

STORMS, QUICK_STORMS = 10_000, 20
CHAINS, QUICK_CHAINS = 100_000, 500
_NONE = at_most(0, "none")
# What the replicas' tests print of what they did: `WHAT: COUNT tries, COUNT twice`.
_COUNTED = re.compile(r"(?P<what>[a-z -]+): (?P<tries>\d+) tries, (?P<wrong>\d+) wrong")


def run_races(command: str, *, quick: bool) -> Iterator[Line]:
    """Run them all."""
    command = f"{command} --only races"
    if sys.platform == "linux":
        yield from _run_attestation_storms(QUICK_STORMS if quick else STORMS, command)
    yield from _run_delegation_chains(QUICK_CHAINS if quick else CHAINS, command)
    yield from _run_replica_tests(command)


def _run_attestation_storms(count: int, command: str) -> Iterator[Line]:
    kinds = [each for each in KINDS if os.getuid() == 0 or each not in NEEDS_ROOT]
    wrong = rounds = 0
    for kind in kinds:
        argv = (
            sys.executable,
            "-m",
            "tests.server.processes.attestation_races",
            kind,
            str(count),
        )
        said = json.loads(command_run.run_command(argv).out)
        rounds += said["rounds"]
        wrong += said.get("wrong", 0)
        lost = f"attestation, {kind}: not attested, of {count:,}"
        yield BenchFigure(lost, "", (said.get("lost", 0),), command)
    what = f"attestation races of {len(kinds)} kinds"
    goal = at_least(STORMS, f">= {STORMS:,}") if count >= STORMS else None
    yield BenchFigure(what, "", (rounds,), command, goal)
    yield BenchFigure(
        "somebody taken for another in these", "", (wrong,), command, _NONE
    )
    if len(kinds) < len(KINDS):
        left = ", ".join(sorted(NEEDS_ROOT))
        yield BenchRemark(f"Not run without root: attestation races {left}.", command)


def _run_delegation_chains(count: int, command: str) -> Iterator[BenchFigure]:
    """Walk delegation chains and compare each link with its parent."""
    from tests.federation import delegation_chains

    wrong = links = 0
    for seed in range(count):
        try:
            links += sum(delegation_chains.walk(seed).values())
        except AssertionError as error:
            sys.stderr.write(f"attenuation, seed {seed}: {error}\n")
            wrong += 1
    goal = at_least(CHAINS, f">= {CHAINS:,}") if count >= CHAINS else None
    yield BenchFigure("chains of delegations", "", (count,), command, goal)
    yield BenchFigure("steps asked for in these", "", (links,), command)
    what = "a child that reaches more than its parent"
    yield BenchFigure(what, "", (wrong,), command, _NONE)


def _run_replica_tests(command: str) -> Iterator[Line]:
    """Run the replica tests, if PostgreSQL is available."""
    if not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        yield BenchRemark(
            "No PostgreSQL here, so the replicas' races were left out.", command
        )
        return
    places = (str(Path("tests") / "sts" / "replicas"), "-m", "world")
    argv = (
        sys.executable,
        "-m",
        "pytest",
        "-s",
        "-q",
        "-p",
        "no:cacheprovider",
        *places,
    )
    for line in command_run.run_command(argv).out.splitlines():
        if counted := _COUNTED.fullmatch(line.strip().lstrip(".")):
            what = f"replicas, {counted['what']}"
            yield BenchFigure(f"{what}: tries", "", (int(counted["tries"]),), command)
            wrong = (int(counted["wrong"]),)
            yield BenchFigure(f"{what}: gone wrong", "", wrong, command, _NONE)
