"""Detect a database restored from an older copy, and revoke what depends on it.

The copy lacks later records: single-use keys, revocations, revoked signing keys. So
everything that could depend on a lost record ends: an epoch begins, every delegation is
revoked with its tokens and tickets, and every signing key is revoked. Replicas create
new keys; agents get new delegations with the tokens of their issuers.

A copy is detected by its generation, which is behind the one in the file `control.mark`
of the state folder, or by its identity. A copy of the whole state folder onto the same
inodes, as in a virtual machine snapshot, is not detected: use `answerable sts
restored`.
"""

from dataclasses import dataclass
from pathlib import Path

from answerable.store.durable_files import make_private_folder, read_file, write_file
from answerable.store.token_state.interface import TokenState

GENERATION_FILE = "control.mark"
SECONDS_PER_GENERATION = 60  # seconds between two increases


@dataclass(frozen=True, slots=True)
class RestoreRevocations:
    """Delegations, tokens and keys revoked after a restore of an older copy.

    Attributes:
        epoch: The new epoch, NumericDate.
        delegations: Number of delegations.
        tokens: Number of unexpired tokens.
        keys: `kid`s of signing keys.
    """

    epoch: int
    delegations: int
    tokens: int
    keys: tuple[str, ...]


def revoke_after_restore(
    token_state: TokenState, folder: Path, now: float
) -> RestoreRevocations:
    """Revoke all delegations, tokens and keys that a lost record may concern.

    Args:
        token_state: Restored state.
        folder: State folder of the token service.
        now: NumericDate.
    """
    epoch = token_state.declare_possible_loss(now)
    died = token_state.revoke_all(now)
    published = token_state.list_signing_keys()
    kids = (each.kid for each in published if not each.killed)
    killed = tuple(kid for kid in kids if token_state.revoke_signing_key(kid, now))
    advance_generation(token_state, folder)
    return RestoreRevocations(epoch, len(died.delegations), len(died.tokens), killed)


def revoke_if_restored(
    token_state: TokenState, folder: Path, now: float
) -> RestoreRevocations | None:
    """Revoke what may depend on lost records, if the database is an older copy.

    Args:
        token_state: The database, just opened.
        folder: State folder of the token service.
        now: NumericDate.

    Returns:
        The revocations; None where no older copy is detected.
    """
    found = token_state.read_generation()
    is_behind = found.generation < _read_generation_file(folder)
    is_elsewhere = bool(found.recorded) and found.recorded != found.present
    if is_behind or is_elsewhere:
        return revoke_after_restore(token_state, folder, now)
    advance_generation(token_state, folder)
    return None


def advance_generation(token_state: TokenState, folder: Path) -> None:
    """Increase the generation, in the database first and then in the file."""
    generation = token_state.advance_generation(_read_generation_file(folder))
    make_private_folder(folder)
    write_file(folder / GENERATION_FILE, f"{generation}\n".encode(), sync=False)


def _read_generation_file(folder: Path) -> int:
    """Read the generation kept outside the database; 0 if missing or torn."""
    try:
        text = read_file(folder / GENERATION_FILE).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return 0
    return int(text) if text.isdigit() and len(text) < 19 else 0
