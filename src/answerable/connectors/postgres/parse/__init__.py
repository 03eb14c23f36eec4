"""Parse the files of one PostgreSQL server into a catalogue and its roles."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import msgspec

from answerable.connectors.formats.document_parser import decode_text
from answerable.connectors.postgres.declaration import DATABASE_GRANTS, ROLES, SCHEMAS
from answerable.connectors.postgres.parse.catalogue_builder import CatalogueBuilder
from answerable.connectors.postgres.parse.catalogue_query_result import (
    CatalogueAnswer,
    add_answer_to_catalogue,
    decode_catalogue_answer,
)
from answerable.connectors.postgres.parse.dump import DumpReader
from answerable.model.errors import ParseError, UsageError
from answerable.model.identity import Identity
from answerable.model.ids import IdentityId
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.postgres_ids import (
    build_postgres_role_id,
    normalise_postgres_host,
)
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import ReadProblem, ReadProblemKind, SightedFacts
from answerable.reach.postgres.catalogue import Catalogue

EXPECTED_KIND = "text of pg_dump or pg_dumpall, or the catalogue query's JSON"
PLATFORM = "postgres"
ROLE_KIND = "postgres-role"
_CUSTOM_FORMAT = b"PGDMP"
# First and last comment of each part of a dump.
_DUMP_MARK = re.compile(
    r"^-- PostgreSQL database (?:cluster )?dump( complete)?[ \t\r]*$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class ParsedCatalogue:
    """Facts of one server, with the coverage of its files."""

    facts: SightedFacts
    problems: tuple[ReadProblem, ...]
    collected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServerName:
    """Name of the server and database as the user states them; empty where not.

    Attributes:
        fallback: Name for a server that neither the user nor a file names.
    """

    host: str
    database: str
    fallback: str


def parse(
    files: Sequence[tuple[str, bytes]], server: ServerName, *, source: str, now: int
) -> ParsedCatalogue:
    """Parse all catalogue files and dumps of one PostgreSQL server.

    An error in a single file is raised; with several files it becomes a problem, and
    the rest is kept.

    Args:
        files: Pairs (path, contents).
        server: Names that the user states.
        source: The sync's source.
        now: UTC nanoseconds.

    Raises:
        UsageError: The only file has other content.
        ParseError: The only file is not text or JSON of the expected form.
    """
    builder = CatalogueBuilder(host=server.host)
    problems: list[ReadProblem] = []
    for place, data in files:
        try:
            problems += _add_file_to_catalogue(builder, place, data, server.database)
        except (ParseError, UsageError) as error:
            if len(files) == 1:
                raise
            what = error.reason if isinstance(error, ParseError) else error.message
            problems.append(ReadProblem(ReadProblemKind.INVALID, place, what))
    builder.host = builder.host or server.fallback
    catalogue = builder.build()
    seen = FactProvenance(source, files[0][0], WrittenBy.PLATFORM, now)
    body = msgspec.json.encode(catalogue).decode()
    facts = SightedFacts(
        identities=_list_role_identities(catalogue, seen),
        catalogues=(PlatformCatalogue(PLATFORM, catalogue.host, body, seen),),
    )
    return ParsedCatalogue(facts, tuple(problems), _list_collected_kinds(catalogue))


def _add_file_to_catalogue(
    builder: CatalogueBuilder, place: str, data: bytes, database: str
) -> list[ReadProblem]:
    """Add one file to the catalogue; return the parts that were not understood."""
    if data.startswith(_CUSTOM_FORMAT):
        raise UsageError(
            f"{place} is a pg_dump archive (expected {EXPECTED_KIND})",
            "convert the archive to text: pg_restore --schema-only "
            f"--file=dump.sql {place}",
        )
    if data.lstrip().startswith(b"{"):
        answer = decode_catalogue_answer(data, place)
        builder.host = builder.host or _build_server_host(answer)
        add_answer_to_catalogue(builder, answer, place)
        return []
    named = database or PurePath(place).stem
    reader = DumpReader(builder, place, named)
    text = decode_text(data, place)
    _refuse_truncated_dump(text, place)
    reader.read_dump(text)
    if not reader.recognised and not reader.problems:
        raise UsageError(
            f"{place} has no role, owner or grant (expected {EXPECTED_KIND})"
        )
    return reader.problems


def _refuse_truncated_dump(text: str, place: str) -> None:
    """Refuse a dump that is cut off: grants come last, and would seem not to exist.

    Raises:
        ParseError: A part of the dump has no end.
    """
    ends = [bool(mark.group(1)) for mark in _DUMP_MARK.finditer(text)]
    if ends.count(False) > ends.count(True):
        raise ParseError(
            "the dump is truncated: its last line, `dump complete`, is missing; "
            "create the dump again",
            place,
        )


def _build_server_host(answer: CatalogueAnswer) -> str:
    """Return the normalised host and port of the server that an answer names."""
    return normalise_postgres_host(answer.host, answer.port)


def _list_role_identities(
    catalogue: Catalogue, seen: FactProvenance
) -> tuple[Identity, ...]:
    """List every role as an identity in each described database."""
    databases = [each.name for each in catalogue.contents] or [""]
    return tuple(
        Identity(
            id=IdentityId(build_postgres_role_id(catalogue.host, database, role.name)),
            kind=ROLE_KIND,
            name=role.name,
            account="",
            unique_id="",
            tags=(),
            created_at=0,
            last_used_at=0,
            seen=FactProvenance(seen.source, role.place, seen.written_by, seen.at),
        )
        for role in catalogue.roles or ()
        for database in databases
    )


def _list_collected_kinds(catalogue: Catalogue) -> tuple[str, ...]:
    """List the kinds of data that the catalogue contains."""
    held = (
        (ROLES, catalogue.roles is not None),
        (SCHEMAS, bool(catalogue.contents)),
        (DATABASE_GRANTS, bool(catalogue.databases)),
    )
    return tuple(word for word, collected in held if collected)
