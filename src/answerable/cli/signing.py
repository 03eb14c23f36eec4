"""Signing at a terminal: check for a human user, and passphrase input."""

import getpass
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from answerable.cli.owner_key_files import SHORTEST, read_private, read_private_file
from answerable.cli.settings import Settings, store_place
from answerable.connectors.user_path import expanded
from answerable.model.errors import EnvironmentRefused, UsageError

if TYPE_CHECKING:
    from answerable.model.inventory import Inventory
    from answerable.services.statements.owner_keys import Signer

Function = TypeVar("Function", bound=Callable[..., object])

_LONGEST = 1024  # bytes
_made_up: set[Path] = set()  # stores with fictional owners


def made_up(root: Path) -> None:
    """Allow any user to sign in the demo's store, whose owners are fictional.

    Args:
        root: Folder of the store; statements there bind nobody.
    """
    _made_up.add(root)


def only_a_person(settings: Settings, *more: Path) -> None:
    """Refuse to continue if an agent started this command, directly or indirectly.

    Args:
        settings: Settings with the store, where runs are registered.
        more: Other folders where runs are registered.

    Raises:
        AgentAbove: An agent started this command, or its starter is not known.
    """
    from answerable.server.processes.ancestors import refuse_agents, registered

    root, _ = store_place(settings)
    if root in _made_up:
        return
    folders = [root / "sts" / "runs", *more]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_absolute():
        folders.append(Path(runtime) / "answerable" / "runs")
    refuse_agents(registered(folders))


def same_user(inventory: "Inventory", subject: str) -> str:
    """Return a note if the agent runs as the signer's own user.

    Args:
        inventory: Inventory that knows the agent.
        subject: Id of the agent, or of anything else.

    Returns:
        A line to show, empty if they are not known to share a user.
    """
    from answerable.server.advisory import shared_uid

    uid = shared_uid(inventory, subject)
    if uid is None:
        return ""
    return (
        f"advisory: {subject} runs as your own user (uid {uid}), so it could do what "
        "you do, and sign with what you type; give it a user of its own to be sure"
    )


def key_options(command: Function) -> Function:
    """Add the options of every signing command."""
    command = click.option(
        "--passphrase-file",
        default="",
        metavar="FILE",
        help="Read the passphrase of the key from a file instead of asking.",
    )(command)
    return click.option(
        "--key",
        metavar="FILE",
        required=True,
        help="Sign with the owner key in this file.",
    )(command)


def signer_of(key: str, passphrase_file: str) -> "Signer":
    """Load and unlock the key of a signer; the key file is checked before the prompt.

    Args:
        passphrase_file: File of the passphrase, empty for a prompt.

    Raises:
        UsageError: See `read_private` and `asked_passphrase`.
        EnvironmentRefused: See `read_private` and `asked_passphrase`.
    """
    return read_private(expanded(key), lambda: asked_passphrase(passphrase_file))


def asked_passphrase(file: str, *, twice: bool = False) -> str:
    """Read a passphrase from the terminal or from a file.

    Args:
        file: File with the passphrase in its first line; empty for a prompt.
        twice: Whether it is a new passphrase.

    Raises:
        UsageError: It is too short, or the two inputs differ.
        EnvironmentRefused: There is no terminal, or other users can read the file.
    """
    phrase = _from_file(file) if file else _typed("passphrase: ")
    if twice and len(phrase) < SHORTEST:
        raise UsageError(
            f"the passphrase is too short (expected at least {SHORTEST} letters)",
            "several words are easy to keep and hard to guess",
        )
    if twice and not file and _typed("the same again: ") != phrase:
        raise UsageError("the two passphrases differ", "type the same one twice")
    return phrase


def _typed(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise EnvironmentRefused(
            "the passphrase prompt needs a terminal, and standard input is none",
            "run it on a terminal, or name --passphrase-file FILE",
        )
    with warnings.catch_warnings():
        # Better no passphrase than a visible one.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            phrase = getpass.getpass(prompt, stream=sys.stderr)
        except getpass.GetPassWarning:
            raise EnvironmentRefused(
                "this terminal would show the passphrase",
                "run it on another one, or name --passphrase-file FILE",
            ) from None
        except EOFError:
            phrase = ""
    if not phrase:
        raise UsageError("no passphrase was typed", "run it again")
    return phrase


def _from_file(file: str) -> str:
    data = read_private_file(expanded(file), "passphrase")
    first = data.split(b"\n", 1)[0].removesuffix(b"\r")
    try:
        phrase = first.decode("utf-8")
    except UnicodeDecodeError:
        phrase = ""
    if not phrase or len(first) > _LONGEST:
        raise UsageError(
            f"{file} holds no passphrase (expected text on its first line)",
            f"at most {_LONGEST} bytes of UTF-8",
        )
    return phrase
