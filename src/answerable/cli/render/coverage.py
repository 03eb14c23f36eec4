"""Render the coverage of an answer: one line below it, or the full list."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from answerable.model.documents.shared_shapes import CoverageRecord

if TYPE_CHECKING:
    from answerable.cli.render.screen import Screen


def format_coverage_line(coverage: CoverageRecord, screen: "Screen") -> str:
    """Format the coverage as one line."""
    from answerable.presentation.coverage_text import build_coverage_line_parts

    said = screen.marks.dot.join(build_coverage_line_parts(coverage))
    return "coverage: " + (said or "nothing scanned yet")


def list_coverage_lines(coverage: CoverageRecord) -> Iterator[str]:
    """List the full coverage, an entry per line."""
    from answerable.presentation.coverage_text import list_full_coverage

    yield "coverage:"
    for line in list_full_coverage(coverage) or ["nothing scanned yet"]:
        yield f"  {line}"


def list_incomplete_sources(
    coverage: CoverageRecord, allow_partial: bool
) -> Iterator[str]:
    """List the sources that could not be read completely, for standard error.

    Args:
        allow_partial: True when `--allow-partial` was given.
    """
    if not coverage["partial"]:
        return
    lame = [source for source in coverage["sources"] if source["problems"]]
    for source in lame[:3]:
        first, *rest = source["problems"]
        more = f" (and {len(rest)} more)" if rest else ""
        yield f"warning: {source['source']}: {first}{more}"
    if len(lame) > 3:
        yield f"warning: {len(lame) - 3} more incomplete sources; -o json lists them"
    if not allow_partial:
        yield "hint: this result is partial; use --allow-partial for exit code 0"
