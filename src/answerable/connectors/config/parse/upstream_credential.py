"""Section `servers.NAME.credential`: operator-held upstream credential."""

import re
from pathlib import PurePath

from answerable.connectors.config.parse.addresses import is_open, read_path
from answerable.connectors.config.parse.config_section import Section
from answerable.model.upstream_credential import UpstreamCredential

AUTHORIZATION = "authorization"
BEARER = "Bearer"
USUAL_TTL, LEAST_TTL, MOST_TTL = 900, 10, 24 * 3600

_SOURCES = ("file", "command", "env")
_FIELD = re.compile(r"[a-z][a-z0-9-]{0,63}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
# What frames a message, leads it, or says who it is from is not a server's to be told
# by a credential; nor are fields that a client's head may bring with it.
_TAKEN = frozenset(
    {
        "baggage", "connection", "cookie", "date", "expect", "forwarded", "from",
        "host", "keep-alive", "last-event-id", "origin", "range", "referer", "te",
        "traceparent", "tracestate", "trailer", "transfer-encoding", "upgrade",
        "user-agent", "via",
    }
)  # fmt: skip
_TAKEN_BEFORE = (
    "accept", "access-control-", "content-", "if-", "mcp-", "proxy-", "sec-",
    "x-forwarded-", "x-http-method",
)  # fmt: skip
# They say which program runs, and what is loaded into it.
_NEVER_SET = frozenset({"HOME", "PATH"})
_NEVER_SET_BEFORE = ("LD_", "DYLD_")


def read_credential(
    server: Section, folder: str, url: str, env: tuple[str, ...]
) -> UpstreamCredential | None:
    """Read the upstream credential of a server, None if absent.

    Args:
        server: Server section.
        folder: Folder of the file.
        url: URL of the server, empty for a command.
        env: Variables that a command gets anyway.
    """
    section = server.section("credential")
    header = section.text("header", AUTHORIZATION).lower()
    usual = BEARER if header == AUTHORIZATION and not section.has("scheme") else ""
    command = section.texts("command")
    ttl = section.seconds("ttl", USUAL_TTL, LEAST_TTL, MOST_TTL)
    read = UpstreamCredential(
        file=read_path(section, "file", folder),
        command=command,
        env=section.text("env"),
        ttl=ttl if command else 0,
        header=header if url else "",
        scheme=section.text("scheme", usual) if url else section.text("scheme"),
        as_env=section.text("as_env"),
    )
    section.close()
    if not server.has("credential"):
        return None
    if server.has("audience"):
        server.fault("credential", "either audience or credential was expected")
    _check_source(section, read)
    if url:
        _check_field(section, read, url)
    else:
        _check_variable(section, read, env)
    return read


def _check_source(section: Section, read: UpstreamCredential) -> None:
    if sum(section.has(key) for key in _SOURCES) != 1:
        section.fault("", "exactly one of file, command, env was expected")
    if section.has("ttl") and not section.has("command"):
        section.fault("ttl", "only what a command writes has one")
    if read.command:
        program = PurePath(read.command[0])
        if not program.is_absolute() and program.name != read.command[0]:
            section.fault("command", "an absolute path or a plain name was expected")
    if read.env and _VARIABLE.fullmatch(read.env) is None:
        section.fault("env", "the name of an environment variable was expected")


def _check_field(section: Section, read: UpstreamCredential, url: str) -> None:
    """Check the header that carries it to a URL."""
    if section.has("as_env"):
        section.fault("as_env", "only a command has an environment")
    if is_open(url):
        section.fault("", "it goes to https or loopback only")
    name = read.header
    if (
        _FIELD.fullmatch(name) is None
        or name in _TAKEN
        or name.startswith(_TAKEN_BEFORE)
    ):
        what = "a field for credentials was expected, like Authorization or X-Api-Key"
        section.fault("header", what)
    if read.scheme and _SCHEME.fullmatch(read.scheme) is None:
        section.fault("scheme", "a word like Bearer was expected")


def _check_variable(
    section: Section, read: UpstreamCredential, env: tuple[str, ...]
) -> None:
    """Check the variable that carries it to a command."""
    for key in ("header", "scheme"):
        if section.has(key):
            section.fault(key, "only a URL is sent fields")
    name = read.as_env
    if not name:
        section.fault("", "as_env is missing: a command finds it in its environment")
    elif _VARIABLE.fullmatch(name) is None:
        section.fault("as_env", "the name of an environment variable was expected")
    elif name in _NEVER_SET or name.startswith(_NEVER_SET_BEFORE):
        section.fault("as_env", "a variable that leads no program was expected")
    elif name in env:
        section.fault("as_env", "it stands in env or inherit_env already")
