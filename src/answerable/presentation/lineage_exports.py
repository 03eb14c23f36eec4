"""Export lineage for other documents: a Markdown table, and a Mermaid flowchart."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import HopStatusCountItem, TraceItem
from answerable.model.errors import UsageError
from answerable.presentation.chain_groups import (
    COLUMNS,
    ActGroup,
    ChainGroup,
    get_hops_by_name,
    group_by_chain,
    is_hop_missing,
    is_hop_self_reported,
    shorten_hop_path,
)
from answerable.presentation.text import sanitize

_KINDS = {
    "markdown": (("trace-score",), "answerable trace --score"),
    "mermaid": (("trace", "trace-unmediated"), "answerable trace"),
}
_MOST_ACTS = 20
_MOST_CHAINS = 50


def export_lineage(document: Document, form: str) -> Iterator[str]:
    """Return the lines of a lineage document in another format.

    Args:
        document: Document of `trace`.
        form: `markdown` or `mermaid`.

    Raises:
        UsageError: The format does not exist for this kind of document.
    """
    kinds, command = _KINDS[form]
    if document.kind not in kinds:
        raise UsageError(
            f"-o {form} is only available for {command} (got {document.kind})",
            f"use -o json, or run `{command}`",
        )
    if form == "markdown":
        return _iterate_score_table(document)
    return iterate_mermaid_lines(cast("Sequence[TraceItem]", document.items))


def _iterate_score_table(document: Document) -> Iterator[str]:
    """Yield the Markdown of a score: one table per log."""
    items = cast("Sequence[HopStatusCountItem]", document.items)
    for source in dict.fromkeys(item["source"] for item in items):
        own = [item for item in items if item["source"] == source]
        yield f"### Lineage in {_escape_markdown(source)}"
        yield ""
        yield f"Scored on {max(item['events'] for item in own):,} events."
        yield ""
        yield "| hop | supplied by this log | fields | observed | declared | inferred | missing |"
        yield "|---|---|---|---:|---:|---:|---:|"
        for item in own:
            yield (
                f"| {item['hop']} | {_escape_markdown(item['can'])} "
                f"| {_escape_markdown(item['field']) or '-'} | {item['observed']:,} "
                f"| {item['declared']:,} | {item['inferred']:,} | {item['missing']:,} |"
            )
        yield ""
    yield "observed: a record of the platform or of the credential's issuance names it. "
    yield "declared: an inventory names it. inferred: only time and a shared credential "
    yield "connect it. missing: no source names it."
    for read in document.coverage["sources"]:
        for problem in read["problems"]:
            yield ""
            yield f"Not scored: {_escape_markdown(problem)}"


def iterate_mermaid_lines(items: Sequence[TraceItem]) -> Iterator[str]:
    """Yield a Mermaid flowchart of chains, from person to resource."""
    yield "flowchart LR"
    chains = group_by_chain(items)
    for number, chain in enumerate(chains[:_MOST_CHAINS]):
        yield from _iterate_chain(number, chain)
    if len(chains) > _MOST_CHAINS:
        yield f'  more["{len(chains) - _MOST_CHAINS} more chains"]'
    yield "  classDef missing stroke-dasharray: 4 4,color:#888"


def _iterate_chain(number: int, chain: ChainGroup) -> Iterator[str]:
    """Yield the nodes and links of one chain."""
    hops = get_hops_by_name(chain.item)
    paths: Mapping[str, Sequence[str]] = {
        "agent": chain.item["agent_path"],
        "identity": chain.item["identity_path"],
    }
    previous = ""
    for name in COLUMNS[:4]:
        hop = hops[name]
        path = list(paths.get(name, ())) or [hop["value"]]
        if is_hop_missing(hop):
            path = [""]
        labels = shorten_hop_path(name, path) if path != [""] else ["not known"]
        for depth, label in enumerate(labels):
            node = f"c{number}_{name}{depth}"
            style = ":::missing" if path == [""] else ""
            said = f"{name}: {label}"
            if hop["status"] not in ("observed", "missing"):
                said += f" ({hop['status']})"
            yield f'  {node}["{_escape_mermaid(said)}"]{style}'
            if previous:
                link = "-->" if hop["status"] == "observed" else "-.->"
                yield f"  {previous} {link} {node}"
            previous = node
    acts = chain.merged_acts()
    for at, act in enumerate(acts[:_MOST_ACTS]):
        yield from _iterate_act(f"c{number}_act{at}", previous, act)
    if len(acts) > _MOST_ACTS:
        yield f'  {previous} --- c{number}_more["{len(acts) - _MOST_ACTS} more actions"]'


def _iterate_act(node: str, previous: str, act: ActGroup) -> Iterator[str]:
    """Yield the link of an action and the node of its resource."""
    hops = get_hops_by_name(act.item)
    label = hops["action"]["value"]
    if is_hop_self_reported(hops["action"]):
        label += " (self-reported)"
    if act.item["outcome"] != "success":
        label += f" ({act.item['outcome']})"
    if len(act.items) > 1:
        label += f" x{len(act.items):,}"
    resource = act.resource or "resource not known"
    if act.resources > 1:
        resource += f"... ({act.resources:,} resources)"
    style = "" if act.resource else ":::missing"
    yield f'  {node}["{_escape_mermaid(resource)}"]{style}'
    yield f'  {previous} -->|"{_escape_mermaid(label)}"| {node}'


def _escape_mermaid(text: str) -> str:
    """Escape text for a quoted label, so that no name can end it or add a node."""
    escaped = sanitize(text).replace("&", "#amp;").replace('"', "#quot;")
    return escaped.replace("<", "#lt;").replace(">", "#gt;").replace("`", "#96;")


def _escape_markdown(text: str) -> str:
    """Escape text for a cell of a Markdown table."""
    escaped = sanitize(text).replace("\\", "\\\\").replace("|", "\\|")
    return escaped.replace("<", "&lt;").replace("`", "'").replace("[", "\\[")
