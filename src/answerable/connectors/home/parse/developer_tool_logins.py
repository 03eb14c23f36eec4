"""Parse login files of the GitHub CLI, Docker, npm, netrc, git and ssh."""

import re
from dataclasses import replace

from answerable.connectors.formats.ambient_credentials import (
    AmbientFacts,
    AmbientFileSource,
)
from answerable.connectors.formats.document_node import DocumentNode
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    decode_text,
    parse_document,
)
from answerable.connectors.formats.netrc_file import parse_netrc_text
from answerable.connectors.formats.platform_identity import build_github_user_identity
from answerable.connectors.formats.redaction import redact_name
from answerable.connectors.formats.url_secrets import split_url
from answerable.connectors.formats.value_reference import split_references
from answerable.model.credential import CredentialLifetime

LINES_LIMIT = 5_000
_AUTH_LINE = re.compile(
    r"(?P<host>[^\s=]{0,512}):_?(?P<field>authToken|auth|password)\s*=\s*(?P<value>\S.*)"
)


def parse_gh_hosts(data: bytes, source: AmbientFileSource, facts: AmbientFacts) -> None:
    """Read `hosts.yml` of the GitHub CLI; without a token it is in the keyring.

    Of several accounts of one host `user` is the active one (`gh auth switch`).
    """
    root = parse_document(data, DocumentFormat.YAML, source.place).root
    for host, entry in root.members():
        user = entry.text_at("user")
        _add_gh_login(host, user, entry, source, facts)
        others = entry.get("users")
        for name, other in others.members() if others is not None else ():
            if name != user:
                _add_gh_login(host, name, other, source, facts, active=False)


def _add_gh_login(
    host: str,
    user: str,
    entry: DocumentNode,
    source: AmbientFileSource,
    facts: AmbientFacts,
    *,
    active: bool = True,
) -> None:
    """Add the token and user of one GitHub host."""
    token = entry.get("oauth_token") or entry.descend("users", user, "oauth_token")
    credential = source.build_credential(
        "github-token",
        f"{user}@{host}" if user else host,
        pointer=token.pointer if token is not None else entry.pointer,
        value=token.text() if token is not None else "",
    )
    facts.credentials.append(replace(credential, explicit_only=not active))
    if user:
        facts.handles.append(user)
        facts.add_identity_link(
            credential, build_github_user_identity(user, host), "gh-login", source
        )


def parse_docker_config(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Read `config.json` of Docker: registries with a login, in it or a helper."""
    root = parse_document(data, DocumentFormat.JSON, source.place).root
    registries = root.get("auths")
    for registry, entry in registries.members() if registries else ():
        value = entry.text_at("auth", "identitytoken", "password")
        facts.credentials.append(
            source.build_credential(
                "docker-auth", registry, pointer=entry.pointer, value=value
            )
        )
    helpers = root.get("credHelpers")
    for registry, entry in helpers.members() if helpers else ():
        facts.credentials.append(
            source.build_credential(
                "docker-auth",
                registry,
                pointer=entry.pointer,
                lifetime=CredentialLifetime.UNKNOWN,
            )
        )


def parse_npmrc(data: bytes, source: AmbientFileSource, facts: AmbientFacts) -> None:
    """Read `.npmrc`: `//HOST/:_authToken=VALUE`."""
    for number, line in enumerate(_split_lines(data, source), 1):
        found = _AUTH_LINE.fullmatch(line) or _AUTH_LINE.fullmatch(f":{line}")
        if found is None:
            continue
        value = found["value"].strip("\"'")
        reference = split_references(value).references
        facts.credentials.append(
            source.build_credential(
                "npm-token",
                found["host"].strip("/") or "npm",
                pointer=f"/{number}",
                value="" if reference else value,
                lifetime=CredentialLifetime.UNKNOWN
                if reference
                else CredentialLifetime.STATIC,
            )
        )


def parse_netrc_file(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Read `.netrc`: one credential per machine with a password."""
    for machine in parse_netrc_text(decode_text(data, source.place)):
        if machine.password:
            facts.credentials.append(
                source.build_credential(
                    "netrc",
                    machine.name,
                    pointer=f"/{machine.name}",
                    value=machine.password,
                )
            )


def parse_git_credentials(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Read `.git-credentials`: one URL with userinfo per line."""
    for number, line in enumerate(_split_lines(data, source), 1):
        _, userinfo, host, _ = split_url(line)
        user, _, password = userinfo.partition(":")
        if not password:
            continue
        facts.credentials.append(
            source.build_credential(
                "github-token" if host.startswith("github.com") else "password",
                f"{user}@{host}" if user else host,
                pointer=f"/{number}",
                value=password,
            )
        )


def parse_private_key(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Detect a private key from the beginning of a key file."""
    text = data.decode("utf-8", "replace").strip()
    if text.startswith("-----BEGIN ") and "PRIVATE KEY-----" in text[:80]:
        facts.credentials.append(
            source.build_credential(
                "private-key", _last_path_part(source.place), value=text
            )
        )


def parse_token_file(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Read a file that contains one token alone."""
    value = decode_text(data, source.place).strip()
    if value:
        facts.credentials.append(
            source.build_credential(
                "bearer-token", _last_path_part(source.place), value=value
            )
        )


def parse_ssh_config(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Find the SSH agent socket (`IdentityAgent`) in `~/.ssh/config`."""
    for number, line in enumerate(_split_lines(data, source), 1):
        name, _, value = line.replace("=", " ").partition(" ")
        if name.lower() == "identityagent" and value.strip().lower() != "none":
            facts.credentials.append(
                source.build_credential(
                    "ssh-agent",
                    redact_name(value.strip().strip('"')),
                    pointer=f"/{number}",
                    lifetime=CredentialLifetime.AMBIENT,
                )
            )


def _split_lines(data: bytes, source: AmbientFileSource) -> list[str]:
    """Decode a file and split it into lines."""
    text = decode_text(data, source.place)
    return [line.strip() for line in text.split("\n")[:LINES_LIMIT]]


def _last_path_part(place: str) -> str:
    """Return the last part of a path."""
    return place.rpartition("/")[2]
