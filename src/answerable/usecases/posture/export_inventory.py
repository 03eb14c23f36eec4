"""Write the inventory and its findings in formats of other tools (`export`)."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from answerable import __version__
from answerable.export.cyclonedx import build_cyclonedx
from answerable.export.json_text import iterate_json_text
from answerable.export.ocsf import iterate_ocsf_lines
from answerable.export.opengraph import build_collector_opengraph, build_opengraph
from answerable.inventory.sync_join import assess_owners_at_time
from answerable.model.documents.evidence import ExportedFileItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import EnvironmentFailure
from answerable.model.inventory import Inventory
from answerable.posture.facts import ArgumentLimit
from answerable.posture.reviews import NO_REVIEWS, FindingReviews
from answerable.presentation.answer_coverage import build_list_coverage
from answerable.presentation.inventory_items import format_time
from answerable.presentation.listed_items import (
    list_agent_items,
    list_credential_items,
    list_identity_items,
)
from answerable.presentation.serialization import to_csv
from answerable.services.inventory.foreign_edges import iterate_foreign_graphs
from answerable.services.posture.finding_documents import (
    FindingItems,
    build_findings_document,
    compute_findings,
)
from answerable.services.posture.review_file import read_reviews
from answerable.store.store import EvidenceStore

_UNSAFE = re.compile(r"[^a-z0-9]+")
Items = Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class _ExportedLists:
    """Lists of an inventory, as items of their documents."""

    store: EvidenceStore
    inventory: Inventory
    now: int
    agents: Items
    credentials: Items
    identities: Items
    reviews: FindingReviews
    argument_limits: Sequence[ArgumentLimit] | None

    def compute_findings(self) -> FindingItems:
        """Compute the findings of the inventory."""
        return compute_findings(
            self.inventory,
            now=self.now,
            store=self.store,
            reviews=self.reviews,
            argument_limits=self.argument_limits,
        )


def _end_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines with their line breaks."""
    return (f"{line}\n" for line in lines)


def _write_cyclonedx(lists: _ExportedLists) -> Iterator[tuple[str, Iterable[str]]]:
    bom = build_cyclonedx(
        lists.agents,
        lists.credentials,
        lists.identities,
        timestamp=format_time(lists.now),
        version=__version__,
    )
    yield "answerable.cdx.json", chain(iterate_json_text(bom), "\n")


def _write_opengraph(lists: _ExportedLists) -> Iterator[tuple[str, Iterable[str]]]:
    graph = build_opengraph(lists.agents, lists.credentials, lists.identities)
    yield "answerable.opengraph.json", chain(iterate_json_text(graph), "\n")
    for number, (foreign, _) in enumerate(iterate_foreign_graphs(lists.inventory), 1):
        name = _UNSAFE.sub("-", foreign.collector.lower())[:40]
        text = json.dumps(build_collector_opengraph(foreign), indent=1)
        yield f"{number}-{name}.opengraph.json", [text, "\n"]


def _write_ocsf(lists: _ExportedLists) -> Iterator[tuple[str, Iterable[str]]]:
    items = lists.compute_findings()
    lines = iterate_ocsf_lines(items, lists.now, __version__)
    yield "findings.ocsf.ndjson", _end_lines(lines)


def _write_csv(lists: _ExportedLists) -> Iterator[tuple[str, Iterable[str]]]:
    for kind, items in (
        ("agents", lists.agents),
        ("credentials", lists.credentials),
        ("identities", lists.identities),
    ):
        coverage = build_list_coverage(kind, lists.inventory, lists.now)
        yield f"{kind}.csv", _end_lines(to_csv(Document(kind, items, coverage)))
    findings = lists.compute_findings()
    document = build_findings_document(lists.inventory, findings, now=lists.now)
    yield "findings.csv", _end_lines(to_csv(document))


WRITERS: Mapping[
    str, Callable[[_ExportedLists], Iterator[tuple[str, Iterable[str]]]]
] = {
    "cyclonedx": _write_cyclonedx,
    "opengraph": _write_opengraph,
    "ocsf": _write_ocsf,
    "csv": _write_csv,
}


def export_inventory(
    store: EvidenceStore,
    inventory: Inventory,
    form: str,
    folder: Path,
    *,
    now: int,
    suppressions: str = "",
    argument_limits: Sequence[ArgumentLimit] | None = None,
) -> Document:
    """Write the files of one format; a file of the same name is replaced.

    Args:
        form: One of `WRITERS`.
        folder: Folder for the files; created if it is missing.
        now: UTC nanoseconds.
        suppressions: Reviewed file; empty for none.
        argument_limits: Limits by policies of the gateway; None if its configuration
            was not read.

    Raises:
        EnvironmentFailure: A file cannot be written.
        UsageError: The reviewed file is invalid.
    """
    reviews = read_reviews(Path(suppressions), now) if suppressions else NO_REVIEWS
    inventory = assess_owners_at_time(inventory, now)
    lists = _ExportedLists(
        store=store,
        inventory=inventory,
        now=now,
        agents=list_agent_items(inventory),
        credentials=list_credential_items(inventory),
        identities=list_identity_items(inventory),
        reviews=reviews,
        argument_limits=argument_limits,
    )
    items: list[ExportedFileItem] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, texts in WRITERS[form](lists):
            path = folder / name
            _replace_file(path, texts)
            items.append({"file": str(path), "bytes": path.stat().st_size})
    except OSError as error:
        raise EnvironmentFailure(
            f"{folder}: {error.strerror or 'cannot be written'}",
            "name a folder that you may write",
        ) from None
    return Document("export", items, build_list_coverage("agents", inventory, now))


def _replace_file(path: Path, texts: Iterable[str]) -> None:
    """Write a file under another name first, so that an error leaves the old one."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.writelines(texts)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
