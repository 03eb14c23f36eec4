"""Protect and undo a home in child processes, each killed (SIGKILL) at one step.

    python -m tests.usecases.kill_at_each_step ROOT

Child N works in ROOT/N and kills itself at step N; a child that ends by itself is the
last. Each prints its step.
"""

import os
import signal
import sys
from pathlib import Path

from answerable.services.protection.protection_plan import ProtectionRequest
from answerable.usecases.protection.apply import apply_plan, undo
from answerable.usecases.protection.plan import build_protection_plan
from tests.usecases.stranger_home import write_home

CLIENTS = ("claude-code", "cursor")


def request_for(home: Path) -> ProtectionRequest:
    """Return the request to protect two clients of a home."""
    config = home / ".config/answerable/answerable.yaml"
    words = ("/opt/bin/answerable",)
    return ProtectionRequest(
        owner="ana@example.com",
        home=home,
        folder=None,
        clients=CLIENTS,
        mode="observe",
        config_path=config,
        gateway_command=words,
    )


def protect_and_undo(root: Path, last: int) -> None:
    """Protect and undo a home; kill this process before its step number `last`."""
    steps = 0

    def kill(step: str) -> None:
        nonlocal steps
        steps += 1
        if steps == last:
            (root / "step").write_text(step)
            os.kill(os.getpid(), signal.SIGKILL)

    home = root / "home"
    apply_plan(build_protection_plan(request_for(home)), root / "state", kill)
    undo(root / "state", (), kill)


def main(root: Path) -> None:
    """Start children until one is not killed."""
    for number in range(1, 200):
        place = root / str(number)
        write_home(place / "home")
        child = os.fork()
        if child == 0:
            protect_and_undo(place, number)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))
        assert os.WTERMSIG(status) == signal.SIGKILL
    raise AssertionError


if __name__ == "__main__":
    main(Path(sys.argv[1]))
