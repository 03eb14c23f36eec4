"""List the paths and API calls that a scan of each source would read (`where`)."""

from collections.abc import Sequence
from pathlib import Path

from answerable.connectors import registry
from answerable.model.documents.evidence import ProbeItem
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.services.inventory import scan_sources as named


def list_scan_locations(sources: Sequence[str], *, home: Path, cwd: Path) -> Document:
    """List the places that `scan` of the same sources would read.

    Raises:
        UsageError: A source is unknown.
    """
    items: list[ProbeItem] = [
        {
            "source": str(source),
            "place": probe.place,
            "what": probe.what,
            "found": probe.found,
        }
        for source in named.parse_sources(sources, home=home, cwd=cwd)
        for probe in registry.load_inventory_connector(
            source.name
        ).list_locations_to_read(source.location)
    ]
    return Document("where", items, build_empty_coverage())
