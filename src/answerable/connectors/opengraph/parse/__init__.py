"""Parse foreign graphs into identities, and keep them for `show` and `export`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from answerable.connectors.formats.aws_api_responses import (
    DECODE_ERRORS,
    describe_decode_error,
)
from answerable.connectors.opengraph.parse.azurehound import read_azurehound
from answerable.connectors.opengraph.parse.graph_builder import GraphBuilder
from answerable.connectors.opengraph.parse.kubehound import (
    COLLECTOR,
    is_kubehound,
    read_kubehound,
)
from answerable.connectors.opengraph.parse.node_keys import get_identity_kind
from answerable.model.errors import ParseError
from answerable.model.foreign_graph import PLATFORM, ForeignGraph, join_graphs
from answerable.model.identity import Identity
from answerable.model.ids import IdentityId, parse_arn_account
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import ReadProblem, ReadProblemKind, SightedFacts

_DEFAULT_COLLECTOR = "opengraph"


class _ExportMetadata(msgspec.Struct, frozen=True):
    source_kind: str = ""
    type: str = ""


class _ForeignGraphLists(msgspec.Struct, frozen=True):
    nodes: list[msgspec.Raw] = []
    edges: list[msgspec.Raw] = []


class _ForeignExport(msgspec.Struct, frozen=True):
    """OpenGraph file: https://bloodhound.specterops.io/opengraph/schema."""

    graph: _ForeignGraphLists | None = None
    metadata: _ExportMetadata = _ExportMetadata()
    data: list[msgspec.Raw] | None = None
    meta: _ExportMetadata = _ExportMetadata()


@dataclass(slots=True)
class ParsedGraphs:
    """Graphs of one location: a graph for each collector, over all files.

    Attributes:
        parts: Graphs of the files, by collector.
        problems: What could not be read.
        places: First file of each collector.
    """

    parts: dict[str, list[ForeignGraph]] = field(default_factory=dict)
    problems: list[ReadProblem] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)

    def read(self, data: bytes, place: str) -> None:
        """Read one file; OpenHound writes a graph in several.

        Raises:
            ParseError: It is not JSON, or no graph of a known form.
        """
        builder = _read_file(data, place)
        graph = builder.build()
        self.parts.setdefault(graph.collector, []).append(graph)
        self.places.setdefault(graph.collector, place)
        self.problems += _iterate_problems(builder.faults, place)

    def build_facts(self, source: str, now: int) -> SightedFacts:
        """Build the identities and keep the graphs."""
        catalogues: list[PlatformCatalogue] = []
        identities: list[Identity] = []
        for graph in map(join_graphs, self.parts.values()):
            place = self.places[graph.collector]
            seen = FactProvenance(source, place, WrittenBy.PLATFORM, now)
            body = msgspec.json.encode(graph).decode()
            catalogues.append(PlatformCatalogue(PLATFORM, graph.collector, body, seen))
            identities += _iterate_identities(graph, seen)
        return SightedFacts(identities=tuple(identities), catalogues=tuple(catalogues))


def _read_file(data: bytes, place: str) -> GraphBuilder:
    """Read a file of any known form.

    Raises:
        ParseError: It has none.
    """
    if is_kubehound(data):
        builder = GraphBuilder(COLLECTOR, place)
        read_kubehound(builder, data)
        return builder
    try:
        export = msgspec.json.decode(
            data.removeprefix(b"\xef\xbb\xbf"), type=_ForeignExport
        )
    except DECODE_ERRORS as error:
        raise ParseError(
            f"not a graph: {describe_decode_error(error)}", place
        ) from None
    if export.graph is not None:
        builder = GraphBuilder(export.metadata.source_kind or _DEFAULT_COLLECTOR, place)
        builder.read_nodes(export.graph.nodes)
        builder.read_edges(export.graph.edges)
    elif export.data is not None and export.meta.type == "azure":
        builder = GraphBuilder("azurehound", place)
        read_azurehound(builder, export.data)
    else:
        raise ParseError(
            "no graph (expected OpenGraph with `graph`, AzureHound with `data` and "
            "`meta.type` azure, or vertices of KubeHound)",
            place,
        )
    return builder


def _iterate_identities(
    graph: ForeignGraph, seen: FactProvenance
) -> Iterator[Identity]:
    """Yield each principal of a graph, once."""
    known: set[str] = set()
    for node in graph.nodes:
        kind = get_identity_kind(node)
        if kind and node.key not in known:
            known.add(node.key)
            name = node.properties.get("displayname") or node.properties.get("name")
            yield Identity(
                id=IdentityId(node.key),
                kind=kind,
                name=name if isinstance(name, str) else node.id,
                account=parse_arn_account(node.key),
                unique_id="",
                tags=(),
                created_at=0,
                last_used_at=0,
                seen=seen,
            )


def _iterate_problems(
    faults: Sequence[tuple[str, str]], place: str
) -> Iterator[ReadProblem]:
    """Yield one problem per reason, with the first place and the count."""
    first: dict[str, str] = {}
    for pointer, reason in faults:
        first.setdefault(reason, pointer)
    for reason, count in Counter(reason for _, reason in faults).items():
        text = reason if count == 1 else f"{reason} ({count} times)"
        at = f"{place}#{first[reason]}"
        yield ReadProblem(ReadProblemKind.INVALID, at, text)
