"""Parse login files of PostgreSQL, PyPI and Terraform."""

import re

from answerable.connectors.formats.ambient_credentials import (
    AmbientFacts,
    AmbientFileSource,
)
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    decode_text,
    parse_document,
)
from answerable.connectors.formats.ini_parser import group_by_section, parse_ini
from answerable.connectors.formats.postgres_dsn import build_postgres_role

LINES_LIMIT = 5_000
_CREDENTIALS_BLOCK = re.compile(
    r'credentials\s+"([^"\n]{1,255})"\s*\{([^{}]{0,4096})\}'
)
_TOKEN = re.compile(r'token\s*=\s*"([^"\n]{1,4096})"')


def parse_pgpass(data: bytes, source: AmbientFileSource, facts: AmbientFacts) -> None:
    """Read `.pgpass`: `HOST:PORT:DATABASE:USER:PASSWORD` lines.

    Source: https://www.postgresql.org/docs/current/libpq-pgpass.html
    """
    lines = decode_text(data, source.place).split("\n")[:LINES_LIMIT]
    for number, line in enumerate(lines, 1):
        fields = _split_pgpass_line(line.strip())
        if len(fields) < 5 or line.lstrip().startswith("#") or not fields[4]:
            continue
        host, port, database, user, password = fields[:5]
        credential = source.build_credential(
            "password",
            f"{user}@{host}/{database}",
            pointer=f"/{number}",
            value=password,
        )
        facts.credentials.append(credential)
        role = build_postgres_role(
            {"host": host, "port": port, "dbname": database, "user": user}
        )
        if role is not None:
            facts.add_identity_link(credential, role, "dsn", source)


def _split_pgpass_line(line: str) -> list[str]:
    """Split at colons; a backslash keeps the character after it."""
    fields, at = [""], 0
    while at < len(line):
        if line[at] == "\\" and at + 1 < len(line):
            at += 1
            fields[-1] += line[at]
        elif line[at] == ":" and len(fields) < 5:
            fields.append("")
        else:
            fields[-1] += line[at]
        at += 1
    return fields


def parse_pypirc(data: bytes, source: AmbientFileSource, facts: AmbientFacts) -> None:
    """Read `.pypirc`: one credential per repository with a password.

    Source: https://packaging.python.org/en/latest/specifications/pypirc/
    """
    text = decode_text(data, source.place)
    for section, settings in group_by_section(parse_ini(text)).items():
        password = settings.get("password")
        if password is None or not password.value:
            continue
        user = settings.get("username")
        token = user is not None and user.value == "__token__"
        facts.credentials.append(
            source.build_credential(
                "api-key" if token else "password",
                section,
                pointer=f"/{section}/password",
                value=password.value,
            )
        )


def parse_terraform_credentials(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Read `credentials.tfrc.json`: one token per host.

    Source: https://developer.hashicorp.com/terraform/cli/commands/login
    """
    root = parse_document(data, DocumentFormat.JSON, source.place).root
    hosts = root.get("credentials")
    for host, entry in hosts.members() if hosts is not None else ():
        token = entry.get("token")
        if token is not None and token.text():
            _add_terraform_token(host, token.pointer, token.text(), source, facts)


def parse_terraformrc(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Read the `credentials "HOST" { token = "..." }` blocks of a CLI configuration.

    Source: https://developer.hashicorp.com/terraform/cli/config/config-file
    """
    for block in _CREDENTIALS_BLOCK.finditer(decode_text(data, source.place)):
        for token in _TOKEN.finditer(block[2]):
            _add_terraform_token(
                block[1], f"/credentials/{block[1]}", token[1], source, facts
            )


def _add_terraform_token(
    host: str, pointer: str, token: str, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Add the token of a Terraform host."""
    facts.credentials.append(
        source.build_credential("terraform-token", host, pointer=pointer, value=token)
    )
