"""`make faults`: bring about faults, and count what was lost or doubled.

python -m tests.faults --kills 50 --seeds 3 --only ingest --seed 1

A kind of fault whose processes do not start, answer or end in time has no verdict: its
line says so, the others go on, and the exit code is 2 where all others hold.
"""

import argparse
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.counts import HEAD, Count
from tests.faults.disks import refuse_disks
from tests.faults.ingests import kill_ingests
from tests.faults.life_faults import fault_each_step
from tests.faults.power_loss import lose_power
from tests.faults.servers import kill_decision_point, kill_gateway
from tests.faults.tokens import kill_token_service, kill_with_postgres
from tests.faults.web import kill_web

Fault = Callable[[int, random.Random], Iterator[Count]]

# What a process that gets no processor time raises in the harness.
NO_VERDICT = TimeoutError, subprocess.TimeoutExpired

FAULTS: dict[str, Fault] = {
    "disk": refuse_disks,
    "gateway": kill_gateway,
    "decisions": kill_decision_point,
    "web": kill_web,
    "sts": kill_token_service,
    "postgres": kill_with_postgres,
    "ingest": kill_ingests,
}


def main() -> int:
    """Run the faults, print the table, and fail where something does not hold."""
    parser = argparse.ArgumentParser(prog="make faults")
    parser.add_argument("--kills", type=int, default=50, help="of each process")
    parser.add_argument(
        "--seeds", type=int, default=3, help="losses of power at each step"
    )
    parser.add_argument("--only", choices=[*FAULTS, "power", "life"], action="append")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10_000)
    said = parser.parse_args()
    print(f"seed {said.seed}\n{HEAD}", flush=True)
    return report(
        said.only or ["power", "life", *FAULTS], said.kills, said.seeds, said.seed
    )


def report(wanted: list[str], kills: int, seeds: int, seed: int) -> int:
    """Bring about kinds of faults, and print their counts; return the exit code.

    Returns:
        0 where all hold, 1 where one does not, 2 where one has no verdict.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    kinds = {
        "power": lambda _, __: lose_power(seeds, seed),
        "life": lambda _, __: fault_each_step(1, seed),
        **FAULTS,
    }
    holds = has_verdict = True
    for name, fault in kinds.items():
        if name not in wanted:
            continue
        if name == "postgres" and not has_postgres():
            print(f"{name}: not tried, needs: apt-get install postgresql", flush=True)
            continue
        try:
            for count in fault(kills, chance):
                print(count.line(), flush=True)
                for line in dict.fromkeys(count.wrong):
                    print(f"  {line}", flush=True)
                holds = holds and count.holds
        except NO_VERDICT as error:
            has_verdict = False
            print(f"{name}: NO VERDICT ({type(error).__name__}: {error})", flush=True)
    return (0 if has_verdict else 2) if holds else 1


def has_postgres() -> bool:
    """Whether PostgreSQL is installed, and can be run by this user."""
    return any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) and bool(
        shutil.which("runuser")
    )


if __name__ == "__main__":
    sys.exit(main())
