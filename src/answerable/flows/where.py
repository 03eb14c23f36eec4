"""Paths and API calls that a scan of each source would read (`where`)."""

from collections.abc import Sequence
from pathlib import Path

from answerable.connectors import table
from answerable.flows import sources as named
from answerable.flows.lists import no_coverage
from answerable.model.document import Document
from answerable.model.document_evidence import ProbeItem


def where(sources: Sequence[str], *, home: Path, cwd: Path) -> Document:
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
        for source in named.parse(sources, home=home, cwd=cwd)
        for probe in table.inventory_connector(source.name).where(source.location)
    ]
    return Document("where", items, no_coverage())
