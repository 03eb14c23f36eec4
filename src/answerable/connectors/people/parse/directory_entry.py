"""Types of one user of a directory export, and of an entry that cannot be read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """User of a directory.

    Attributes:
        place: Place in the file.
        id: The directory's own id; empty where it is not exported.
        addresses: Addresses and logins that the user cannot change, main one first.
        name: Display name, may be empty.
        present: False for a user who can no longer sign in; None if not exported.
        managers: Id or address of the manager; empty if not exported.
        sponsors: Ids or addresses of sponsors of a guest.
    """

    place: str
    id: str
    addresses: tuple[str, ...]
    name: str
    present: bool | None
    managers: tuple[str, ...] = ()
    sponsors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnreadEntry:
    """Entry that could not be read; the reason holds no value."""

    place: str
    reason: str
