"""Run a command as an agent whose AWS credential this process hands over and renews.

The command gets no AWS setting of ours, only the address of a loopback endpoint and its
token. Our own credential stays in this process and in our files; a process of the same
user can still read those files.
"""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from answerable.model.errors import AnswerableError, EnvironmentFailure, UsageError
from answerable.server.agent_credentials.credential_broker import CredentialBroker
from answerable.server.agent_credentials.credential_cache import CachedCredential
from answerable.server.agent_credentials.credential_endpoint import CredentialEndpoint
from answerable.server.agent_credentials.credential_output import format_expiry
from answerable.server.launcher.child_wait import (
    block_signals,
    restore_signals,
    wait_for_child,
)
from answerable.server.processes.ancestors import RUN_VARIABLE

_WATCH_SECONDS = 0.5
# Names of settings that lead SDKs to other credentials.
_PREFIXES = ("AWS_", "BOTO_", "AMAZON_")


def find_program(name: str) -> str:
    """Return the path of a program.

    Raises:
        UsageError: There is no such program, or this user cannot execute it.
    """
    program = shutil.which(name)
    if program is None:
        is_file = os.sep in name and Path(name).exists()
        what = "not a program that can be executed" if is_file else "no such program"
        raise UsageError(
            f"{what} (got {name!r})", "name a program on PATH, or its path, after --"
        )
    return program


def run_with_credentials(
    broker: CredentialBroker,
    command: tuple[str, tuple[str, ...]],
    run: str,
    print_line: Callable[[str], None],
) -> int:
    """Run a command with the agent's credential, and return its exit code.

    Args:
        broker: Broker of the run's credential.
        command: Path of the program, and the arguments from its name on.
        run: Run id.
        print_line: Writes a line to standard error.

    Raises:
        EnvironmentFailure: No credential can be issued; the command is not started.
    """
    program, argv = command
    first = broker.get_credential()
    mask = block_signals()
    endpoint = CredentialEndpoint(broker.get_credential)
    watch = _CredentialWatch(broker, first, print_line)
    try:
        with tempfile.TemporaryDirectory(prefix="answerable-aws-") as folder:
            config = Path(folder) / "config"
            config.write_text(f"[default]\nregion = {first.fields['Region']}\n")
            environment = build_clean_environment(os.environ) | {
                "AWS_CONFIG_FILE": str(config),
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": endpoint.token,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint.url,
                "AWS_REGION": first.fields["Region"],
                RUN_VARIABLE: run,
            }
            try:
                child = os.posix_spawn(
                    program,
                    argv,
                    environment,
                    setsigmask=mask,
                    setsigdef=[signal.SIGPIPE],
                )
            except OSError as error:
                raise EnvironmentFailure(
                    f"cannot run {program} ({error.strerror})",
                    "check that this user can execute the program",
                ) from None
            return wait_for_child(child)
    finally:
        watch.close()
        endpoint.close()
        restore_signals(mask)
        with suppress(
            EnvironmentFailure
        ):  # it has expired soon, and only we can read it
            broker.forget_credential()


def build_clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without AWS settings, in which no credential file is read."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith(_PREFIXES)
    }
    return kept | {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # boto3 reads ~/.boto and /etc/boto.cfg before it asks the endpoint.
        "BOTO_CONFIG": os.devnull,
    }


class _CredentialWatch:
    """Thread that renews the credential early, and reports once that it no longer can."""

    def __init__(
        self,
        broker: CredentialBroker,
        first: CachedCredential,
        print_line: Callable[[str], None],
    ) -> None:
        self._broker, self._print_line = broker, print_line
        self._last = first
        self._reported = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch_for_kills, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._ended.set()
        self._thread.join()

    def _watch_for_kills(self) -> None:
        """Look for kills and renewals until the command has ended."""
        while not self._ended.wait(_WATCH_SECONDS):
            try:
                self._last = self._broker.get_credential()
                self._reported = ""
            except AnswerableError as error:
                self._print_failure_once(error)

    def _print_failure_once(self, error: AnswerableError) -> None:
        """Print a failure once, with the residual life of the last credential."""
        if error.message == self._reported:
            return
        self._reported = error.message
        self._print_line(error.message)
        self._print_line(describe_residual_life(self._last, time.time_ns()))


def describe_residual_life(credential: CachedCredential, now: int) -> str:
    """Describe how long a credential that was handed over still works."""
    left = max(0, credential.expires - now) // 10**9
    if not left:
        return f"{credential.id} has expired"
    return (
        f"{credential.id} works until {format_expiry(credential.expires)} "
        f"({left // 60} min {left % 60} s): AWS cannot end it earlier without a deny"
    )
