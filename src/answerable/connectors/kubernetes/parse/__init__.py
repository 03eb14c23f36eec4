"""Parse the objects of one cluster into its catalogue, identities and credentials."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import PurePath

import msgspec

from answerable.connectors.kubernetes.declaration import PLATFORM
from answerable.connectors.kubernetes.kinds import (
    AWS_AUTH,
    EKS_KINDS,
    KINDS,
    ObjectKind,
    build_coverage_word,
    find_plural,
)
from answerable.connectors.kubernetes.parse.agent_facts import AgentReader
from answerable.connectors.kubernetes.parse.cluster_builder import (
    ClusterBuilder,
    identify_object,
)
from answerable.connectors.kubernetes.parse.cluster_facts import ClusterFacts
from answerable.connectors.kubernetes.parse.collected_kinds import (
    CollectedKinds,
    ListRecord,
    find_collected_kinds,
)
from answerable.connectors.kubernetes.parse.documents import (
    FileObject,
    ListHead,
    iter_file_objects,
)
from answerable.connectors.kubernetes.parse.eks_responses import ANSWER_KEYS, EksReader
from answerable.connectors.kubernetes.parse.object_readers import read_object
from answerable.connectors.parsed_source import ParsedSource
from answerable.model.errors import ParseError
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.sighting import SightedFacts
from answerable.reach.kubernetes.catalogue import Cluster

EXPECTED_KIND = "Kubernetes objects as JSON or YAML, or output of `aws eks`"


@dataclass(frozen=True, slots=True)
class ParsedCluster(ParsedSource):
    """Facts of one cluster, with the coverage of its files or API answers."""

    cluster: Cluster


@dataclass(slots=True)
class ClusterReader:
    """Reader of the files or API answers of one cluster.

    Attributes:
        builder: Cluster under construction.
        live_kinds: Kinds that a live scan listed to the end.
    """

    builder: ClusterBuilder
    records: dict[tuple[str, int], ListRecord] = field(default_factory=dict)
    live_kinds: set[str] = field(default_factory=set)
    eks: EksReader = field(init=False)

    def __post_init__(self) -> None:
        self.eks = EksReader(self.builder)

    def read_text(self, text: str, place: str) -> None:
        """Read one file; what is invalid becomes a problem, the rest is kept."""
        try:
            for part in iter_file_objects(text, place):
                self._read_part(part, place)
        except ParseError as error:
            self.builder.add_problem(place, error.reason)
            self.builder.unread.append(f"rest of {place}")
            for (file, _), record in self.records.items():
                if file == place:
                    record.whole = False

    def read_page(self, kind: ObjectKind, text: str, place: str) -> None:
        """Read one page of a live list of a kind, or of its metadata."""
        version = f"{kind.group}/{kind.version}" if kind.group else kind.version
        try:
            for part in iter_file_objects(text, place):
                if isinstance(part, FileObject):
                    self._read_item(part, kind.kind, version)
        except ParseError as error:
            self.builder.add_problem(place, error.reason)
            self.builder.unread.append(f"rest of {place}")

    def _read_item(self, part: FileObject, kind: str, version: str) -> None:
        """Read one item of a live list, which states no kind or that of metadata."""
        if isinstance(part.raw, dict):
            part = replace(part, raw={**part.raw, "kind": kind, "apiVersion": version})
        self._read_object(part, None)

    def _read_part(self, part: FileObject | ListHead, file: str) -> None:
        """Read one object, or note a list."""
        if isinstance(part, ListHead):
            stated = _find_stated_kinds(part.kind, file)
            self._get_record(file, part.number).stated |= stated
            return
        record = self._get_record(file, part.listed) if part.listed >= 0 else None
        if record is not None and not part.whole:
            record.whole = False
        self._read_object(part, record)

    def _read_object(self, part: FileObject, record: ListRecord | None) -> None:
        """Read one object; what is invalid becomes a problem."""
        if part.fault:
            self.builder.add_problem(part.place, part.fault)
            self.builder.unread.append(part.place)
            return
        if self._read_special_object(part):
            return
        source = identify_object(
            part.raw,
            part.place,
            (part.list_kind, part.list_version),
            self.builder.default_namespace,
        )
        if isinstance(source, str):
            self.builder.add_problem(part.place, source)
            self.builder.unread.append(part.place)
        elif source is not None:
            if record is not None:
                record.add_object(source)
            read_object(self.builder, source)

    def _read_special_object(self, part: FileObject) -> bool:
        """Read an EKS answer or the ConfigMap aws-auth; return whether it is one."""
        raw = part.raw
        if not isinstance(raw, dict):
            return False
        if "kind" not in raw and not part.list_kind and ANSWER_KEYS & raw.keys():
            self.eks.read_answer(raw, part.place)
            return True
        if raw.get("kind", part.list_kind) != "ConfigMap":
            return False
        metadata = raw.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        space = metadata.get("namespace") if isinstance(metadata, dict) else None
        if (space, name) == ("kube-system", AWS_AUTH):
            self.eks.read_aws_auth(raw, part.place)
        return True

    def _get_record(self, file: str, number: int) -> ListRecord:
        """Return the record of a list, added on first mention."""
        return self.records.setdefault((file, number), ListRecord())

    def finish(self, source: str, place: str, now: int) -> ParsedCluster:
        """Build the cluster and its facts.

        Args:
            source: The sync's source.
            place: Place of the catalogue, e.g. the first file.
            now: UTC nanoseconds.
        """
        found = find_collected_kinds(self.records.values(), self.builder.namespaces)
        if self.live_kinds:
            found = CollectedKinds(tuple(sorted(self.live_kinds)))
        kinds = (*found.kinds, *self.eks.finish())
        kinds = tuple(dict.fromkeys(kinds))
        cluster = self.builder.build(kinds, found.namespaces)
        facts = ClusterFacts(cluster, self.builder, source, now)
        facts.build()
        agents = AgentReader(facts)
        agents.read_agents()
        seen = facts.get_provenance(place)
        body = msgspec.json.encode(cluster).decode()
        words = (*(each.plural for each in KINDS), *EKS_KINDS)
        return ParsedCluster(
            cluster=cluster,
            facts=SightedFacts(
                persons=tuple(facts.persons),
                agents=tuple(agents.agents.values()),
                tools=tuple(agents.tools),
                credentials=tuple(facts.credentials.values()),
                links=tuple(facts.links),
                identities=tuple(facts.identities.values()),
                evidence=tuple(facts.evidence),
                catalogues=(PlatformCatalogue(PLATFORM, cluster.name, body, seen),),
            ),
            problems=tuple(self.builder.problems),
            collected=tuple(build_coverage_word(w) for w in words if w in kinds),
            not_collected=tuple(
                build_coverage_word(w) for w in words if w not in kinds
            ),
            recognised=self.builder.recognised,
        )


def parse(
    files: Iterable[tuple[str, str]],
    builder: ClusterBuilder,
    fallback: str,
    source: str,
    now: int,
) -> ParsedCluster:
    """Parse all files of one cluster.

    Args:
        files: Pairs (path, text).
        builder: Cluster with the names that the user states.
        fallback: Name of a cluster that neither the user nor a file names.
        source: The sync's source.
        now: UTC nanoseconds.
    """
    reader = ClusterReader(builder)
    first = ""
    for place, text in files:
        first = first or place
        reader.read_text(text, place)
    builder.name = builder.name or fallback
    return reader.finish(source, first, now)


def _find_stated_kinds(list_kind: str, file: str) -> set[str]:
    """Find the kind that a list or the name of its file states."""
    named = find_plural(PurePath(file).stem.lower())
    plurals = {each.plural for each in KINDS if each.kind == list_kind}
    return plurals | ({named.plural} if named else set())
