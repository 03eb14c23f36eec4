"""List the findings of a snapshot, most severe first."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from answerable.inventory.name_resolution import resolve_entity_by_name
from answerable.lineage.chain_index import ChainIndex
from answerable.model.documents.finding import FindingItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.inventory import Inventory
from answerable.posture.facts import GATEWAY_POLICIES, ArgumentLimit
from answerable.posture.reviews import NO_REVIEWS, FindingReviews
from answerable.posture.rule_catalogue import PLATFORMS
from answerable.posture.rule_data import DATA_OF_PLATFORM
from answerable.services.inventory.snapshots import load_inventory
from answerable.services.posture.finding_documents import (
    FindingItems,
    build_findings_document,
    compute_findings,
)
from answerable.services.posture.review_file import read_reviews
from answerable.store.store import EvidenceStore


def list_findings(
    store: EvidenceStore,
    inventory: Inventory,
    *,
    now: int,
    owner: str = "",
    platform: str = "",
    fail_on: str = "",
    new_since: str = "",
    suppressions: str = "",
    argument_limits: Sequence[ArgumentLimit] | None = None,
    loaded_chains: ChainIndex | None = None,
) -> Document:
    """List findings, then the rules that could not be evaluated.

    Args:
        now: UTC nanoseconds.
        owner: Only findings that this person owns or that are assigned to the person.
        platform: Only findings of this platform.
        fail_on: The document has failed if an open finding is as severe.
        new_since: Only findings that this snapshot does not have; `NAME` or `@NAME`.
        suppressions: Reviewed file; empty for none.
        argument_limits: Limits by policies of the gateway; None if its configuration
            was not read.
        loaded_chains: Chains of all events; None to load them.

    Raises:
        UsageError: The snapshot does not exist, the reviewed file is invalid, no
            rule is about the platform, or the person is not known.
    """
    reviews = read_reviews(Path(suppressions), now) if suppressions else NO_REVIEWS
    found = compute_findings(
        inventory,
        now=now,
        store=store,
        reviews=reviews,
        argument_limits=argument_limits,
        loaded_chains=loaded_chains,
    )
    unused = _describe_unused_entries(suppressions, reviews, found, now)
    if platform and platform not in PLATFORMS:
        raise UsageError(
            f"no rule is about this platform (got {platform!r})",
            f"platforms: {', '.join(PLATFORMS)}",
        )
    known: set[str] = set()
    if new_since:
        before = load_inventory(store, new_since.removeprefix("@"))
        known = {
            each.id
            for each in compute_findings(
                before, now=before.at, store=store, argument_limits=argument_limits
            ).results
        }

    def keep(item: FindingItem) -> bool:
        owners = (item["owner"]["person"], item["assigned"])
        return (
            (not platform or platform in item["platform"].split(", "))
            and (not owner or any(each == person for each in owners))
            and item["id"] not in known
        )

    person = owner if owner.startswith("person:") else f"person:{owner}"
    if owner or platform or new_since:
        found = found.select(keep)
    if owner and not found:
        resolve_entity_by_name(inventory, person, ("person",))
    document = build_findings_document(inventory, found, now=now)
    if not fail_on:
        return replace(document, note=unused)
    undecided = _explain_missing_platform(inventory, platform, argument_limits)
    uncertain = f"warning: --fail-on is not certain: {undecided}" if undecided else ""
    return replace(
        document,
        failed=found.has_open_finding(fail_on),
        undecided=undecided,
        note="; ".join(filter(None, (unused, uncertain))),
    )


def _explain_missing_platform(
    inventory: Inventory,
    platform: str,
    argument_limits: Sequence[ArgumentLimit] | None,
) -> str:
    """Return why no rule could find anything; empty if a rule was evaluated.

    Args:
        platform: The only platform; empty for all.
    """
    collected = {word for each in inventory.coverage for word in each.collected}
    collected |= {each.connector for each in inventory.coverage}
    if argument_limits is not None:
        collected.add(GATEWAY_POLICIES)
    asked = (platform,) if platform else tuple(DATA_OF_PLATFORM)
    if any(not collected.isdisjoint(DATA_OF_PLATFORM[each]) for each in asked):
        return ""
    if platform == "gateway":
        return "the configuration of the gateway was not read; name it with --config"
    return f"{platform} was not scanned" if platform else "nothing was scanned"


def _describe_unused_entries(
    file: str, reviews: FindingReviews, found: FindingItems, now: int
) -> str:
    """Describe the entries of a reviewed file that have no effect; empty for none."""
    if not file:
        return ""
    ids = {each.id for each in found.results}
    named = dict.fromkeys((*reviews.suppressions, *reviews.assigned))
    ended = [
        name
        for name, each in reviews.suppressions.items()
        if name in ids and now > each.ends_at
    ]
    texts = []
    for names, what in (
        ([name for name in named if name not in ids], "no finding has the id"),
        (ended, "the acceptance has ended of"),
    ):
        if names:
            more = f" (and {len(names) - 1:,} more)" if len(names) > 1 else ""
            texts.append(f"{what} {names[0][:80]!r}{more}")
    return f"warning: {file}: {'; '.join(texts)}" if texts else ""
