"""Check that a human signs at this terminal, and read key and passphrase."""

import getpass
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from answerable.cli.owner_key_files import (
    MIN_PASSPHRASE_LENGTH,
    read_private_file,
    read_private_key,
)
from answerable.cli.settings import Settings, find_store
from answerable.connectors.user_path import expand_user_path
from answerable.model.errors import EnvironmentFailure, UsageError

if TYPE_CHECKING:
    from answerable.model.inventory import Inventory
    from answerable.services.statements.owner_keys import LocalSigner

Function = TypeVar("Function", bound=Callable[..., object])

_MAX_PASSPHRASE_BYTES = 1024  # bytes
_demo_stores: set[Path] = set()  # stores with fictional owners


def allow_demo_signing(root: Path) -> None:
    """Allow any user to sign in the demo's store, whose owners are fictional.

    Args:
        root: Folder of the store; statements there are not binding.
    """
    _demo_stores.add(root)


def require_human(settings: Settings, *more: Path) -> None:
    """Refuse to continue if an agent started this command, directly or indirectly.

    Args:
        settings: Settings with the store, where runs are registered.
        more: Other folders where runs are registered.

    Raises:
        StartedByAgent: An agent started this command, or its starter is not known.
    """
    from answerable.server.processes.ancestors import (
        read_registered_processes,
        refuse_agent_ancestors,
    )

    root, _ = find_store(settings)
    if root in _demo_stores:
        return
    folders = [root / "sts" / "runs", *more]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_absolute():
        folders.append(Path(runtime) / "answerable" / "runs")
    refuse_agent_ancestors(read_registered_processes(folders))


def describe_shared_user(inventory: "Inventory", subject: str) -> str:
    """Return a note if the agent runs as the signer's own user, or may do so.

    Args:
        inventory: Inventory that knows the agent.
        subject: Id of the agent, or of anything else.

    Returns:
        A line to show, empty if they do not share a user.
    """
    from answerable.server.shared_user_check import check_shared_user

    check = check_shared_user(inventory, subject)
    if not check.is_known:
        return (
            f"not known: whether {subject} runs as your own user; if it does, it can "
            "act and sign as you (a scan of its home directory tells)"
        )
    uid = check.uid
    if uid is None:
        return ""
    return (
        f"advisory: {subject} runs as your own user (uid {uid}), so it can act and "
        "sign as you; run it as a separate user to prevent that"
    )


def add_key_options(command: Function) -> Function:
    """Add the options `--key` and `--passphrase-file` to a command (decorator)."""
    command = click.option(
        "--passphrase-file",
        default="",
        metavar="FILE",
        help="File with the passphrase, instead of a prompt.",
    )(command)
    return click.option(
        "--key",
        metavar="FILE",
        required=True,
        help="File of the owner key that signs.",
    )(command)


def load_signer(key: str, passphrase_file: str) -> "LocalSigner":
    """Load and unlock the key of a signer; the key file is checked before the prompt.

    Args:
        passphrase_file: File of the passphrase, empty for a prompt.

    Raises:
        UsageError: See `read_private_key` and `read_passphrase`.
        EnvironmentFailure: See `read_private_key` and `read_passphrase`.
    """
    return read_private_key(
        expand_user_path(key), lambda: read_passphrase(passphrase_file)
    )


def read_passphrase(file: str, *, twice: bool = False) -> str:
    """Read a passphrase from the terminal or from a file.

    Args:
        file: File with the passphrase in its first line; empty for a prompt.
        twice: Whether it is a new passphrase.

    Raises:
        UsageError: It is too short, or the two inputs differ.
        EnvironmentFailure: There is no terminal, or other users can read the file.
    """
    phrase = _read_passphrase_file(file) if file else _prompt_passphrase("passphrase: ")
    if twice and len(phrase) < MIN_PASSPHRASE_LENGTH:
        raise UsageError(
            "the passphrase is too short (expected at least "
            f"{MIN_PASSPHRASE_LENGTH} characters)",
            "use several words: they are easy to remember and hard to guess",
        )
    if twice and not file and _prompt_passphrase("repeat the passphrase: ") != phrase:
        raise UsageError("the two passphrases differ", "type the same passphrase twice")
    return phrase


def _prompt_passphrase(prompt: str) -> str:
    """Read a passphrase from the terminal without echo."""
    if not sys.stdin.isatty():
        raise EnvironmentFailure(
            "the passphrase prompt requires a terminal (standard input is not one)",
            "run the command on a terminal, or use --passphrase-file FILE",
        )
    with warnings.catch_warnings():
        # Better no passphrase than a visible one.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            phrase = getpass.getpass(prompt, stream=sys.stderr)
        except getpass.GetPassWarning:
            raise EnvironmentFailure(
                "this terminal cannot hide the passphrase",
                "run the command on another terminal, or use --passphrase-file FILE",
            ) from None
        except EOFError:
            phrase = ""
    if not phrase:
        raise UsageError("no passphrase was entered", "run it again")
    return phrase


def _read_passphrase_file(file: str) -> str:
    """Read the passphrase from the first line of a file only its user may read."""
    data = read_private_file(expand_user_path(file), "passphrase")
    first = data.split(b"\n", 1)[0].removesuffix(b"\r")
    try:
        phrase = first.decode("utf-8")
    except UnicodeDecodeError:
        phrase = ""
    if not phrase or len(first) > _MAX_PASSPHRASE_BYTES:
        raise UsageError(
            f"{file} does not contain a passphrase (expected text on its first line)",
            f"write at most {_MAX_PASSPHRASE_BYTES} bytes of UTF-8 text on that line",
        )
    return phrase


def require_consent(yes: bool, question: str) -> None:
    """Ask once before anything is written.

    Raises:
        UsageError: The answer is no, or there is no terminal, and no --yes.
    """
    if yes:
        return
    if not sys.stdin.isatty() or not click.confirm(question, err=True):
        raise UsageError("nothing was written", "confirm with --yes")
