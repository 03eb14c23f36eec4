"""A credential that an operator keeps for an upstream server, and where it is kept.

The value has no place here: this says where it is found, and how its server is shown it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UpstreamCredential:
    """The section `servers.NAME.credential`: one source, one way to be shown.

    Attributes:
        file: File that holds it, absolute path; read again when it changes.
        command: argv of a program that writes it.
        env: Name of the environment variable that holds it.
        ttl: Seconds that what a command wrote is shown; 0 for a file and a variable,
            which hold until they change.
        header: Name of the field that carries it to a URL, lower case; empty for a
            command server.
        scheme: Word before it in that field, e.g. `Bearer`; empty for none.
        as_env: Name of the environment variable that a command server finds it in;
            empty for a URL.
    """

    file: str
    command: tuple[str, ...]
    env: str
    ttl: int
    header: str
    scheme: str
    as_env: str
