"""Parse `.netrc` files: machines with logins and passwords."""

from dataclasses import dataclass

MACHINES_LIMIT = 5_000


@dataclass(frozen=True, slots=True, repr=False)
class NetrcMachine:
    """Machine entry; the password stays out of the repr."""

    name: str
    login: str
    password: str

    def __repr__(self) -> str:
        return f"Machine({self.name!r})"


def parse_netrc_text(text: str) -> tuple[NetrcMachine, ...]:
    """Parse a netrc file; unknown tokens are skipped.

    `default` means any machine. Macro definitions end at an empty line.
    """
    found: list[NetrcMachine] = []
    name = ""
    fields: dict[str, str] = {}
    words = iter(_split_words(text))
    for word in words:
        if word in ("machine", "default"):
            _add_machine(found, name, fields)
            name = next(words, "") if word == "machine" else "default"
            fields = {}
        elif word in ("login", "password", "account"):
            fields[word] = next(words, "")
    _add_machine(found, name, fields)
    return tuple(found)


def _add_machine(
    machines: list[NetrcMachine], name: str, fields: dict[str, str]
) -> None:
    """Add a `.netrc` machine with its login and password."""
    if name and fields and len(machines) < MACHINES_LIMIT:
        login, password = fields.get("login", ""), fields.get("password", "")
        machines.append(NetrcMachine(name, login, password))


def _split_words(text: str) -> list[str]:
    """Split a netrc file into words, without macros and comments."""
    found: list[str] = []
    in_macro = False
    for line in text.split("\n"):
        words = line.split()
        if in_macro:
            in_macro = bool(words)
        elif words[:1] == ["macdef"]:
            in_macro = True
        elif words and words[0][0] != "#":
            found += words
    return found
