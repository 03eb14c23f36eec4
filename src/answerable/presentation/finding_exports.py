"""Export the document of findings as SARIF or OCSF."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable import __version__
from answerable.export.ocsf import iterate_ocsf_lines
from answerable.export.sarif import ExportedRule, iterate_sarif_lines
from answerable.model.documents.finding import FindingItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.posture.rule_catalogue import RULES


def export_findings(document: Document, form: str, now: int) -> Iterator[str]:
    """Yield the lines of findings in another tool's format.

    Args:
        form: `sarif` or `ocsf`.
        now: UTC nanoseconds.

    Raises:
        UsageError: The document has no findings.
    """
    if document.kind != "findings":
        raise UsageError(
            f"-o {form} is only available for findings (got {document.kind})",
            "use -o json, or run `answerable findings`",
        )
    items = cast("Sequence[FindingItem]", document.items)
    if form == "ocsf":
        return iterate_ocsf_lines(items, now, __version__)
    rules = [
        ExportedRule(each.id, each.title, each.detail, each.page, each.owasp)
        for each in RULES
    ]
    return iterate_sarif_lines(items, rules, document.coverage, __version__)
