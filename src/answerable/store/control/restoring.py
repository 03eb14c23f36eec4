"""Detection of a database that was put back from an older copy, and the way on.

The copy lacks what was remembered since it was made: single-use keys, revocations, kills
of signing keys. So all that could rest on a lost record ends: an epoch begins, every
delegation ends with its tokens and tickets, and every signing key is killed. Replicas
make new keys; agents get new delegations from the tokens of their issuers.

A copy is known by its generation, which is behind the one in the file `control.mark` of
the state folder, or by its identity. A copy of the whole state folder onto the same
inodes, as of a virtual machine, is known by neither: `answerable sts restored` is for
that.
"""

from dataclasses import dataclass
from pathlib import Path

from answerable.store.control.contract import Control
from answerable.store.disk import make_folder, read_file, write_file

MARK = "control.mark"
EVERY = 60  # seconds between two counts


@dataclass(frozen=True, slots=True)
class Ended:
    """Delegations and keys that ended because the database was put back from an older copy.

    Attributes:
        epoch: The new epoch, NumericDate.
        delegations: How many.
        tokens: How many that had not expired.
        keys: kids of signing keys.
    """

    epoch: int
    delegations: int
    tokens: int
    keys: tuple[str, ...]


def end_what_may_be_lost(control: Control, folder: Path, now: float) -> Ended:
    """End all that may rest on a record that the copy lacks.

    Args:
        control: What was put back.
        folder: State folder of the token service.
        now: NumericDate.
    """
    epoch = control.new_epoch(now)
    died = control.end_all(now)
    published = control.keys()
    kids = (each.kid for each in published if not each.killed)
    killed = tuple(kid for kid in kids if control.kill_key(kid, now))
    count_up(control, folder)
    return Ended(epoch, len(died.delegations), len(died.tokens), killed)


def end_if_older(control: Control, folder: Path, now: float) -> Ended | None:
    """Find out whether an older copy was put back, and end what may be lost.

    Args:
        control: The database, just opened.
        folder: State folder of the token service.
        now: NumericDate.

    Returns:
        What ended; None where no older copy is found.
    """
    found = control.lineage()
    is_behind = found.generation < _marked(folder)
    is_elsewhere = bool(found.recorded) and found.recorded != found.present
    if is_behind or is_elsewhere:
        return end_what_may_be_lost(control, folder, now)
    count_up(control, folder)
    return None


def count_up(control: Control, folder: Path) -> None:
    """Count the generation up, in the database first and then in the file beside it."""
    generation = control.advance(_marked(folder))
    make_folder(folder)
    write_file(folder / MARK, f"{generation}\n".encode(), sync=False)


def _marked(folder: Path) -> int:
    """Read the generation in the file; 0 where there is none, or a torn one."""
    try:
        text = read_file(folder / MARK).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return 0
    return int(text) if text.isdigit() and len(text) < 19 else 0
