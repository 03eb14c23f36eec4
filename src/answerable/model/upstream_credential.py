"""Type of a credential for an upstream server: its source and how it is sent.

The secret value is not stored here.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UpstreamCredential:
    """Section `servers.NAME.credential`: one source and one form of presentation.

    Attributes:
        file: File that holds it, absolute path; read again when it changes.
        command: argv of a program that writes it.
        env: Environment variable that holds it.
        ttl: Lifetime of a command's output, seconds; 0 for a file and a variable, which
            are valid until they change.
        header: Header field for a URL server, lower case; empty for a command server.
        scheme: Word before it in that field, e.g. `Bearer`; empty for none.
        as_env: Environment variable for a command server; empty for a URL server.
        keyring: Entry of the operating system's keyring that holds it.
    """

    file: str
    command: tuple[str, ...]
    env: str
    ttl: int
    header: str
    scheme: str
    as_env: str
    keyring: str = ""
