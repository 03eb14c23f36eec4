"""Accounts that people sign in with: a person is bound to one account at first sight.

An address can be given to somebody else at the provider; `sub` cannot (OpenID Connect
Core 2). So of one issuer and audience a person is one `sub`, until an administrator
releases it. `sub` may differ between audiences (pairwise identifiers, Core 8.1).

Each binding is a file of its own in a state folder, named by the digest of issuer,
audience and person: processes that see a person first at the same moment agree.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from answerable.model.claims import SignedClaims
from answerable.model.errors import EnvironmentRefused
from answerable.model.ids import PersonId
from answerable.store.disk import make_folder, read_file, refused, sync_folder

FOLDER = "sign-ins"  # in a state folder


class Account(msgspec.Struct, frozen=True):
    """An account at a provider and the person that it is here.

    Attributes:
        iss: The issuer.
        aud: The audience of its tokens.
        person: Whom it names.
        sub: The account.
    """

    iss: str
    aud: str
    person: PersonId
    sub: str


class SignIns:
    """The accounts of one door.

    Args:
        state: The door's own folder.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER

    def is_bound(self, claims: SignedClaims, person: PersonId) -> bool:
        """Tell whether a token is of the account that a person is bound to.

        The first token that names a person binds them, durably.

        Args:
            claims: Verified.
            person: Whom they name.

        Raises:
            EnvironmentRefused: The folder may not be read or written.
        """
        account = Account(claims.iss, claims.aud, person, claims.sub)
        path = self._folder / _name(account)
        found = _read(path)
        if found is None:
            self._write(path, account)
            found = _read(path)
        return found == account

    def release(self, person: PersonId) -> tuple[Account, ...]:
        """Forget the accounts of a person; the next one that signs in is theirs.

        Raises:
            EnvironmentRefused: The folder may not be read or written.
        """
        gone = tuple(each for each in self if each.person == person)
        for account in gone:
            path = self._folder / _name(account)
            with refused("remove", path):
                path.unlink(missing_ok=True)
                sync_folder(self._folder)
        return gone

    def __iter__(self) -> Iterator[Account]:
        """Give every account, ordered by person.

        Raises:
            EnvironmentRefused: The folder may not be read.
        """
        with refused("read", self._folder):
            names = os.listdir(self._folder) if self._folder.is_dir() else []
        found = (_read(self._folder / name) for name in names if "." not in name)
        return iter(sorted(filter(None, found), key=msgspec.structs.astuple))

    def _write(self, path: Path, account: Account) -> None:
        make_folder(self._folder)
        with refused("write", path):
            beside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            handle = os.open(beside, flags, 0o600)
            try:
                os.write(handle, msgspec.json.encode(account))
                os.fsync(handle)
                with contextlib.suppress(FileExistsError):  # another was first
                    os.link(beside, path)
            finally:
                os.close(handle)
                beside.unlink()
            sync_folder(self._folder)


def release_all(states: Iterable[Path], person: PersonId) -> tuple[Account, ...]:
    """Forget the accounts of a person at several doors."""
    return tuple(
        each
        for state in dict.fromkeys(states)
        for each in SignIns(state).release(person)
    )


def _name(account: Account) -> str:
    parts = msgspec.json.encode((account.iss, account.aud, account.person))
    return hashlib.sha256(parts).hexdigest()


def _read(path: Path) -> Account | None:
    try:
        return msgspec.json.decode(read_file(path), type=Account)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError:
        raise EnvironmentRefused(
            f"{path} is no account that signed in", "remove it: the next sign-in binds"
        ) from None
