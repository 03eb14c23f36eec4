"""Print exported policies: documents on stdout, omitted clauses on stderr."""

import sys
from collections.abc import Iterator, Sequence
from typing import cast

import click

from answerable.cli.output import get_document_exit_code, print_and_exit
from answerable.cli.settings import Settings
from answerable.model.documents.policy_export import ExportedPolicyItem
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.text import sanitize

_MAX_LISTED = 20


def print_policies(document: Document, settings: Settings, *, terraform: bool) -> None:
    """Print the documents of an exported policy, and end with its exit code.

    Args:
        terraform: Print Terraform resources instead of the documents.
    """
    if settings.output != "table" or settings.columns:
        print_and_exit(document, settings)
        return
    items = cast("Sequence[ExportedPolicyItem]", document.items)
    for item in items:
        sys.stdout.write(
            item["terraform"] or item["text"] if terraform else item["text"]
        )
    sys.stdout.flush()
    if not settings.quiet:
        for line in _list_notes(items):
            sys.stderr.write(sanitize(line) + "\n")
    click.get_current_context().exit(get_document_exit_code(document, settings))


def _list_notes(items: Sequence[ExportedPolicyItem]) -> Iterator[str]:
    """Yield sizes, refusals and omitted clauses, one for each line."""
    for item in items:
        if item["text"]:
            limit = f" of {item['limit']}" if item["limit"] else ""
            yield f"{item['name']}: {item['size']}{limit} characters"
        yield from (f"refused: {each}" for each in item["refusals"])
        for clause in item["omitted"][:_MAX_LISTED]:
            named = " ".join(filter(None, (clause["action"], clause["text"])))
            yield f"not in the policy ({clause['reason']}): {named}"
        more = len(item["omitted"]) - _MAX_LISTED
        if more > 0:
            yield f"{more} more clauses are not in the policy (-o json lists them)"
