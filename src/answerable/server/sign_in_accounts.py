"""Bind each person to the account of the first sign-in, and check later ones.

A provider can give an address to another person; `sub` is never reassigned (OpenID
Connect Core 2). So for one issuer and audience a person is one `sub`, until an
administrator releases it. `sub` may differ between audiences (pairwise identifiers,
Core 8.1).

Each binding is a file in a state folder, named by the digest of issuer, audience and
person: processes that see a person first at the same moment agree.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from answerable.model.errors import EnvironmentFailure
from answerable.model.ids import PersonId
from answerable.model.token_claims import SignedClaims
from answerable.store.durable_files import (
    make_private_folder,
    read_file,
    sync_folder,
    translate_os_errors,
)

FOLDER = "sign-ins"  # in a state folder


class BoundAccount(msgspec.Struct, frozen=True):
    """Account at a provider, and the person that it is bound to.

    Attributes:
        aud: Audience of its tokens.
        person: Person that it is bound to.
        sub: Subject at the issuer.
    """

    iss: str
    aud: str
    person: PersonId
    sub: str


class SignInAccounts:
    """Bound accounts of one server.

    Args:
        state: State folder of the server.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER

    def bind_or_check_account(self, claims: SignedClaims, person: PersonId) -> bool:
        """Return whether a token belongs to the account that a person is bound to.

        The first token that names a person binds them, durably.

        Args:
            claims: Verified claims.
            person: Person that they name.

        Raises:
            EnvironmentFailure: The folder may not be read or written.
        """
        account = BoundAccount(claims.iss, claims.aud, person, claims.sub)
        path = self._folder / _binding_file_name(account)
        found = _read_account(path)
        if found is None:
            self._write_account(path, account)
            found = _read_account(path)
        return found == account

    def release_person(self, person: PersonId) -> tuple[BoundAccount, ...]:
        """Remove a person's account bindings; the next sign-in binds another.

        Raises:
            EnvironmentFailure: The folder may not be read or written.
        """
        gone = tuple(each for each in self if each.person == person)
        for account in gone:
            path = self._folder / _binding_file_name(account)
            with translate_os_errors("remove", path):
                path.unlink(missing_ok=True)
                sync_folder(self._folder)
        return gone

    def __iter__(self) -> Iterator[BoundAccount]:
        """Yield every account, ordered by person.

        Raises:
            EnvironmentFailure: The folder may not be read.
        """
        with translate_os_errors("read", self._folder):
            names = os.listdir(self._folder) if self._folder.is_dir() else []
        found = (
            _read_account(self._folder / name) for name in names if "." not in name
        )
        return iter(sorted(filter(None, found), key=msgspec.structs.astuple))

    def _write_account(self, path: Path, account: BoundAccount) -> None:
        """Write a binding atomically, unless another process was first."""
        make_private_folder(self._folder)
        with translate_os_errors("write", path):
            temp_path = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            handle = os.open(temp_path, flags, 0o600)
            try:
                os.write(handle, msgspec.json.encode(account))
                os.fsync(handle)
                with contextlib.suppress(FileExistsError):  # another was first
                    os.link(temp_path, path)
            finally:
                os.close(handle)
                temp_path.unlink()
            sync_folder(self._folder)


def release_person_at_servers(
    state_folders: Iterable[Path], person: PersonId
) -> tuple[BoundAccount, ...]:
    """Remove the accounts of a person at several servers."""
    return tuple(
        each
        for state in dict.fromkeys(state_folders)
        for each in SignInAccounts(state).release_person(person)
    )


def _binding_file_name(account: BoundAccount) -> str:
    """Return the file name of an account's binding."""
    parts = msgspec.json.encode((account.iss, account.aud, account.person))
    return hashlib.sha256(parts).hexdigest()


def _read_account(path: Path) -> BoundAccount | None:
    """Read a binding; None where there is none."""
    try:
        return msgspec.json.decode(read_file(path), type=BoundAccount)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError:
        raise EnvironmentFailure(
            f"{path} is not a record of a signed-in account",
            "remove it: the next sign-in creates it",
        ) from None
