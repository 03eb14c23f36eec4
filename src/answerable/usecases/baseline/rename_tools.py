"""Draft new baseline profiles after tools were renamed (`baseline rename`)."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

import msgspec

from answerable.baseline.profile_document import encode_profile, profile_document_digest
from answerable.baseline.tool_renames import rename_tools
from answerable.model.baseline import BaselineProfile
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.presentation.command_hints import format_command
from answerable.services.baseline.profile_learning import BASELINE
from answerable.services.baseline.profiles import build_baseline_item
from answerable.services.statements import signed_baselines
from answerable.store.store import EvidenceStore

DefinitionLookup = Callable[[str], str]
"""Returns the SHA-256 of a tool's approved definition, empty where it has none."""


def draft_renamed_profiles(
    store: EvidenceStore,
    agent: AgentId,
    names: Iterable[str],
    find_pinned: DefinitionLookup,
    *,
    now: int,
) -> Document:
    """Draft a new profile for each signed profile that holds a renamed tool.

    The draft follows the signed profile and carries the map of names, so that the owner
    signs both with `baseline sign`.

    Args:
        names: `OLD=NEW`, each `SERVER/TOOL`.
        now: UTC nanoseconds.

    Raises:
        UsageError: A pair is malformed, no signed profile holds OLD, one holds NEW
            already, or NEW was not approved though OLD was.
    """
    renames = _parse_renames(names)
    standing = signed_baselines.read_active_baselines(store, now)
    own = [each for subject, each in standing.items() if subject.agent == agent]
    if not own:
        raise UsageError(
            f"{agent} has no signed baseline in force",
            format_command("baseline", "learn", agent),
        )
    known = sorted({tool for each in own for tool in _list_profile_tools(each.profile)})
    for old in renames:
        if old not in known:
            near = get_close_matches(old, known, 1)
            raise UsageError(
                f"no baseline of {agent} contains the tool {old} (expected a tool "
                "from one of its baselines)",
                f"did you mean {near[0]}?"
                if near
                else f"its tools are {', '.join(known)}",
            )
    items = []
    for each in own:
        mine = {
            old: new
            for old, new in renames.items()
            if old in _list_profile_tools(each.profile)
        }
        if not mine:
            continue
        profile = _rename_in_profile(each.profile, mine, find_pinned)
        name = store.put_object(BASELINE, encode_profile(profile), now)
        items.append(build_baseline_item(name, profile, standing))
    following = format_command("baseline", "diff", str(items[0]["digest"])[:16])
    return Document("baselines", items, build_empty_coverage(), next=following)


def _parse_renames(names: Iterable[str]) -> dict[str, str]:
    """Parse `SERVER/OLD=SERVER/NEW` texts to a mapping of old to new tool names."""
    found: dict[str, str] = {}
    for text in names:
        old, sign, new = text.partition("=")
        servers = [each.partition("/")[0] for each in (old, new)]
        whole = all(all(each.partition("/")[::2]) for each in (old, new))
        if not sign or not whole or old == new:
            raise UsageError(
                f"invalid rename (got {text[:160]!r}, expected SERVER/OLD=SERVER/NEW)",
                "for example bank/pay=bank/transfer",
            )
        if servers[0] != servers[1]:
            raise UsageError(
                f"{text[:160]!r} names two servers (expected one)",
                "learn a separate baseline for a tool of another server",
            )
        if old in found or new in found.values():
            raise UsageError(
                f"{text[:160]!r} names a tool more than once (expected once)"
            )
        found[old] = new
    return found


def _list_profile_tools(profile: BaselineProfile) -> set[str]:
    """List the tools of a profile, value sources included."""
    return {each.tool for each in profile.capabilities} | {
        each.source for each in profile.edges if "/" in each.source
    }


def _rename_in_profile(
    profile: BaselineProfile, names: Mapping[str, str], find_pinned: DefinitionLookup
) -> BaselineProfile:
    """Return a draft of a profile in which the tools have their new names."""
    definitions = {}
    held = {each.tool for each in profile.capabilities if each.definition}
    for old, new in names.items():
        if new in _list_profile_tools(profile):
            raise UsageError(
                f"the baseline already contains {new} (expected a new name)",
                format_command(
                    "baseline",
                    "show",
                    profile_document_digest(encode_profile(profile))[:16],
                ),
            )
        definition = find_pinned(new)
        if definition:
            definitions[new] = definition
        elif old in held:
            server, _, tool = new.partition("/")
            raise UsageError(
                f"{new} is not approved (expected a pinned definition, as {old} has)",
                format_command("tools", "approve", server, tool, "--config", "FILE"),
            )
    parent = profile_document_digest(encode_profile(profile))
    renamed = rename_tools(profile, names.items(), definitions)
    return msgspec.structs.replace(renamed, parent=parent)
