"""Parse `servers.NAME.credential`: the credential for an upstream server."""

import re
from pathlib import PurePath

from answerable.connectors.config.parse.addresses import (
    is_unencrypted_remote_url,
    read_path,
)
from answerable.connectors.config.parse.config_section import VARIABLE, ConfigSection
from answerable.model.upstream_credential import UpstreamCredential

AUTHORIZATION = "authorization"
BEARER = "Bearer"
USUAL_TTL, LEAST_TTL, MOST_TTL = 900, 10, 24 * 3600

_SOURCES = ("file", "command", "env", "keyring")
# A field name is a token, in which an underscore is valid (RFC 9110, section 5.6.2).
_HEADER_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
# Headers that a credential may not set: message framing, routing and origin, and
# headers that a client may send itself.
_RESERVED_HEADERS = frozenset(
    {
        "baggage",
        "connection",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "from",
        "host",
        "keep-alive",
        "last-event-id",
        "origin",
        "range",
        "referer",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
    }
)
_RESERVED_HEADER_PREFIXES = (
    "accept",
    "access-control-",
    "content-",
    "if-",
    "mcp-",
    "proxy-",
    "sec-",
    "x-forwarded-",
    "x-http-method",
)
# Variables that choose the program that runs and the libraries it loads.
_RESERVED_VARIABLES = frozenset({"HOME", "PATH"})
_RESERVED_VARIABLE_PREFIXES = ("LD_", "DYLD_")


def read_upstream_credential(
    server: ConfigSection, folder: str, url: str, env: tuple[str, ...]
) -> UpstreamCredential | None:
    """Read the upstream credential of a server, None if absent.

    Args:
        server: Server section.
        folder: Folder of the file.
        url: URL of the server, empty for a command.
        env: Variables that a command gets anyway.
    """
    section = server.read_section("credential")
    header = section.read_text("header", AUTHORIZATION).lower()
    usual = BEARER if header == AUTHORIZATION and not section.has_key("scheme") else ""
    command = section.read_texts("command")
    ttl = section.read_seconds("ttl", USUAL_TTL, LEAST_TTL, MOST_TTL)
    read = UpstreamCredential(
        file=read_path(section, "file", folder),
        command=command,
        env=section.read_text("env"),
        ttl=ttl if command else 0,
        header=header if url else "",
        scheme=section.read_text("scheme", usual)
        if url
        else section.read_text("scheme"),
        as_env=section.read_text("as_env"),
        keyring=section.read_text("keyring"),
    )
    section.report_unknown_keys()
    if not server.has_key("credential"):
        return None
    if server.has_key("audience"):
        server.report_fault("credential", "expected either audience or credential")
    _check_credential_source(section, read)
    if url:
        _check_credential_header(section, read, url)
    else:
        _check_credential_variable(section, read, env)
    return read


def _check_credential_source(
    section: ConfigSection, credential: UpstreamCredential
) -> None:
    """Check that the credential has exactly one valid source."""
    if sum(section.has_key(key) for key in _SOURCES) != 1:
        section.report_fault("", "expected exactly one of file, command, env, keyring")
    if section.has_key("ttl") and not section.has_key("command"):
        section.report_fault("ttl", "requires command")
    if credential.command:
        program = PurePath(credential.command[0])
        if not program.is_absolute() and program.name != credential.command[0]:
            section.report_fault("command", "expected an absolute path or a plain name")
    if credential.env and VARIABLE.fullmatch(credential.env) is None:
        section.report_fault("env", "expected the name of an environment variable")


def _check_credential_header(
    section: ConfigSection, credential: UpstreamCredential, url: str
) -> None:
    """Check the header that carries the credential to a URL."""
    if section.has_key("as_env"):
        section.report_fault("as_env", "cannot be combined with url")
    if is_unencrypted_remote_url(url):
        section.report_fault(
            "", "the credential is sent only over https or to loopback"
        )
    # A server may read `X_Forwarded_For` as `X-Forwarded-For` (RFC 3875, section 4.1.18).
    name = credential.header.replace("_", "-")
    if (
        _HEADER_NAME.fullmatch(credential.header) is None
        or name in _RESERVED_HEADERS
        or name.startswith(_RESERVED_HEADER_PREFIXES)
    ):
        what = "expected a header for credentials, such as Authorization or X-Api-Key"
        section.report_fault("header", what)
    if credential.scheme and _SCHEME.fullmatch(credential.scheme) is None:
        section.report_fault(
            "scheme", "expected an authentication scheme such as Bearer"
        )


def _check_credential_variable(
    section: ConfigSection, credential: UpstreamCredential, env: tuple[str, ...]
) -> None:
    """Report faults of `env`, in which a started server gets its credential."""
    for key in ("header", "scheme"):
        if section.has_key(key):
            section.report_fault(key, "requires url")
    name = credential.as_env
    if not name:
        section.report_fault(
            "", "as_env is missing: the command reads the credential from this variable"
        )
    elif VARIABLE.fullmatch(name) is None:
        section.report_fault("as_env", "expected the name of an environment variable")
    elif name in _RESERVED_VARIABLES or name.startswith(_RESERVED_VARIABLE_PREFIXES):
        section.report_fault(
            "as_env", "expected a variable that does not control how a program is run"
        )
    elif name in env:
        section.report_fault("as_env", "already set by env or inherit_env")
