"""`make faults`: bring about faults, and count what was lost or doubled.

python -m tests.faults --kills 50 --seeds 3 --only ingest --seed 1
"""

import argparse
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.counts import HEAD, Count
from tests.faults.disks import refuse_disks
from tests.faults.ingests import kill_ingests
from tests.faults.power_loss import lose_power
from tests.faults.servers import kill_decision_point, kill_gateway
from tests.faults.tokens import kill_token_service, kill_with_postgres
from tests.faults.web import kill_web

Fault = Callable[[int, random.Random], Iterator[Count]]

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
    parser.add_argument("--only", choices=[*FAULTS, "power"], action="append")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10_000)
    said = parser.parse_args()
    print(f"seed {said.seed}\n{HEAD}", flush=True)
    holds = True
    for count in _counts(said):
        print(count.line(), flush=True)
        for line in dict.fromkeys(count.wrong):
            print(f"  {line}", flush=True)
        holds = holds and count.holds
    return 0 if holds else 1


def _counts(said: argparse.Namespace) -> Iterator[Count]:
    chance = random.Random(said.seed)  # noqa: S311 - no secret
    wanted = said.only or [*FAULTS, "power"]
    if "power" in wanted:
        yield from lose_power(said.seeds, said.seed)
    for name, fault in FAULTS.items():
        if name not in wanted:
            continue
        if name == "postgres" and not has_postgres():
            print(f"{name}: not tried, needs: apt-get install postgresql", flush=True)
            continue
        yield from fault(said.kills, chance)


def has_postgres() -> bool:
    """Whether PostgreSQL is installed, and can be run by this user."""
    return any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) and bool(
        shutil.which("runuser")
    )


if __name__ == "__main__":
    sys.exit(main())
