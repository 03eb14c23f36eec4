"""Read the files of Azure: lists of roles, of assignments and of applications."""

from pathlib import PurePath

import msgspec

from answerable.connectors.azure.declaration import (
    ASSIGNMENTS,
    DECLARATION,
    DEFINITIONS,
    DENIALS,
)
from answerable.connectors.azure.parse import EXPECTED_KIND, RolesBuilder
from answerable.connectors.bounded_folder import iterate_answer_files
from answerable.connectors.response_locations import (
    parse_paths_and_options,
    probe_answer_files,
    read_bounded_answer,
)
from answerable.model.azure_roles import PLATFORM
from answerable.model.connector import SyncContext
from answerable.model.errors import ParseError, UsageError
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.provenance import FactProvenance
from answerable.model.sighting import (
    Probe,
    ReadProblem,
    ReadProblemKind,
    SightedFacts,
    Sync,
)

_SUFFIXES = (".json",)
_MAX_FILE_BYTES = 256 << 20
_HINT = (
    "collect with: az role assignment list --all > assignments.json; "
    "az role definition list > definitions.json"
)


def sync(location: str, context: SyncContext) -> Sync:
    """Read the lists; objects that cannot be read are listed in `problems`.

    Args:
        location: Files and folders with commas between them; `subscription=` names a
            subscription that was listed, `assignee=` the principal of a list of
            `az role assignment list --assignee ID --include-groups`.
        context: Context of the scan.

    Raises:
        UsageError: A location is missing, or has no list of the Azure CLI.
        EnvironmentFailure: A file is not readable.
    """
    source = f"{DECLARATION.name}:{location}"
    paths, options = parse_paths_and_options(location, DECLARATION.location_options)
    problems: list[ReadProblem] = []
    places = [
        place
        for path in paths
        for place, _ in iterate_answer_files(path, _SUFFIXES, problems)
    ]
    if not places:
        raise UsageError(f"{source} names no file of the Azure CLI", _HINT)
    builder = RolesBuilder(problems=problems)
    for place in places:
        advice = "export one subscription a file"
        data = read_bounded_answer(
            place, EXPECTED_KIND, _MAX_FILE_BYTES, advice, problems
        )
        try:
            builder.read(b"[]" if data is None else data, place)
        except ParseError as error:
            problems.append(ReadProblem(ReadProblemKind.INVALID, place, error.reason))
    built = builder.build(options.get("subscription", ""), options.get("assignee", ""))
    if problems and not (built.assignments or built.roles):
        raise UsageError(
            f"{source} has no list of the Azure CLI: {problems[0].what}", _HINT
        )
    place = ",".join(built.subscriptions) or PurePath(paths[0]).stem.lower()
    seen = FactProvenance(source, places[0], DECLARATION.written_by, context.now)
    catalogue = PlatformCatalogue(
        PLATFORM, place, msgspec.json.encode(built).decode(), seen
    )
    found = {
        ASSIGNMENTS: built.assignments and not problems,
        DEFINITIONS: built.roles,
        DENIALS: built.denials,
    }
    return Sync(
        source=source,
        connector=DECLARATION.name,
        started_at=context.now,
        facts=SightedFacts(catalogues=(catalogue,)),
        probes=tuple(Probe(place, EXPECTED_KIND, True) for place in places),
        problems=tuple(problems),
        collected=tuple(word for word, has_some in found.items() if has_some),
        not_collected=tuple(word for word, has_some in found.items() if not has_some),
    )


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the files that a sync would read."""
    paths, _ = parse_paths_and_options(location, DECLARATION.location_options)
    if not paths:
        return (Probe(f"{DECLARATION.name}:FILE", EXPECTED_KIND, False),)
    return probe_answer_files(paths, _SUFFIXES, EXPECTED_KIND)
