"""Privileges of each kind of PostgreSQL object, and the defaults of a new object.

Source: https://www.postgresql.org/docs/current/ddl-priv.html, "ACL Privilege
Abbreviations" and "Summary of Access Privileges"
"""

from answerable.reach.postgres.catalogue import PUBLIC, Grant

# Words that only the owner has: "The right to modify or destroy an object is inherent in
# being the object's owner, and cannot be granted or revoked in itself" (ddl-priv).
OWNER_ACTIONS = ("ALTER", "DROP")

_TABLE = "SELECT INSERT UPDATE DELETE TRUNCATE REFERENCES TRIGGER"
PRIVILEGES: dict[str, tuple[str, ...]] = {
    kind: tuple(words.split())
    for kind, words in {
        "table": _TABLE,
        "column": "SELECT INSERT UPDATE REFERENCES",
        "sequence": "USAGE SELECT UPDATE",
        "function": "EXECUTE",
        "schema": "USAGE CREATE",
        "database": "CONNECT CREATE TEMPORARY",
        "type": "USAGE",
        "language": "USAGE",
        "foreign-data-wrapper": "USAGE",
        "foreign-server": "USAGE",
    }.items()
}
# pg_has_role(user, role, privilege): functions-info, "Access Privilege Inquiry".
ROLE_ACTIONS = ("MEMBER", "USAGE", "SET")
# MAINTAIN came with version 17.
MAINTAIN = "MAINTAIN"
MAINTAIN_SINCE = 17

_PUBLIC_DEFAULTS = {
    "database": ("CONNECT", "TEMPORARY"),
    "function": ("EXECUTE",),
    "type": ("USAGE",),
    "language": ("USAGE",),
}
_SPELLINGS = {"TEMP": "TEMPORARY"}


def list_privileges_of_object_kind(kind: str, version: int = 0) -> tuple[str, ...]:
    """List the privileges that a kind of object has on a server's major version."""
    listed = PRIVILEGES.get(kind, ())
    return (*listed, MAINTAIN) if _has_maintain_privilege(kind, version) else listed


def _has_maintain_privilege(kind: str, version: int) -> bool:
    """Return whether a kind of object has the privilege MAINTAIN."""
    return kind == "table" and version >= MAINTAIN_SINCE


def normalise_privilege_name(word: str) -> str:
    """Return a privilege in the format of `PRIVILEGES`."""
    upper = " ".join(word.upper().split())
    return _SPELLINGS.get(upper, upper)


def get_default_privileges(
    kind: str, owner: str, version: int = 0
) -> tuple[Grant, ...]:
    """Return the default privileges of an object: of its owner, and of PUBLIC."""
    grants = []
    if owner:
        every = tuple(sorted(list_privileges_of_object_kind(kind, version)))
        grants.append(Grant(owner, every, statement="default privileges of the owner"))
    if kind in _PUBLIC_DEFAULTS:
        words = _PUBLIC_DEFAULTS[kind]
        grants.append(Grant(PUBLIC, words, statement="default privileges of PUBLIC"))
    return tuple(grants)
