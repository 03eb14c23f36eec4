"""Resource filter of a query: an ARN, an `s3://` URI, a name or an event id."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from answerable.lineage.chain_index import Chains
from answerable.model.inventory import Inventory
from answerable.reach.aws.resource_arguments import as_arn
from answerable.store.chain_queries import Filter
from answerable.store.investigation_queries import Wanted, values_like
from answerable.store.store import Store

Entities = Mapping[str, Collection[str]]
_OFFERED = 3
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{2,}")
_NO_NAMES = frozenset(
    ("arn", "aws", "iam", "agent", "tool", "mcp", "person", "cred", "role", "user")
)
_ACCOUNT = re.compile(r"[0-9]{12}")


def number_of(text: str) -> bytes | None:
    """Parse an event id: 32 hex digits, with or without the dashes of a UUID."""
    digits = text.strip().replace("-", "")
    try:
        number = bytes.fromhex(digits)
    except ValueError:
        return None
    return number if len(number) == 16 and len(digits) == 32 else None


def narrowed(found: Filter, resource: str) -> Filter:
    """Narrow a filter to a resource, or to the one event with that id."""
    text = resource.strip()
    if not text:
        return found
    number = number_of(text)
    if number is not None:
        return replace(found, event=number)
    return replace(found, resources=patterns_of(text))


def patterns_of(resource: str) -> list[str]:
    """Return the patterns of which a matching resource fits one.

    An ARN or a URI is used as it is, other text matches part of a name. An `s3://` URI
    of a bucket, or one that ends in `/`, matches everything below it.
    """
    typed = resource.strip()
    text = as_arn(typed)
    if ":" not in text:
        return [f"*{text}*"]
    if _is_folder(typed):
        return [text, f"{text}/*"]
    return [text]


def _is_folder(uri: str) -> bool:
    """Return whether an `s3://` URI names a bucket or a prefix."""
    place = uri.removeprefix("s3://")
    globs = "*" in place or "?" in place
    return place != uri and not globs and ("/" not in place or place.endswith("/"))


def offers(
    store: Store,
    entities: Entities,
    among: Wanted,
    resources: Iterable[str],
    names: Iterable[tuple[str, str]],
) -> str:
    """Suggest existing names that are spelled like a text without a match.

    Args:
        store: Store of the events.
        among: Visible events.
        resources: Texts queried as a resource, or in any hop.
        names: Kind and text of each queried person, agent, tool, identity or
            credential.

    Returns:
        One line, empty if nothing is similar.
    """
    said: list[str] = []
    for text in resources:
        for token in _tokens(text):
            found = [f"resource {v}" for v in _resources(store, among, token)]
            found += _like(entities, token)
            if found:
                said += found[: 2 * _OFFERED]
                break
    for kind, text in names:
        own = {kind: entities.get(kind, ())}
        whole = [f"{kind} {text}"] if text in own[kind] else []
        like = (_like(ids, token) for ids in (own, entities) for token in _tokens(text))
        said += whole or next(filter(None, like), [])[: 2 * _OFFERED]
    return f"there is {', '.join(dict.fromkeys(said))}" if said else ""


def _tokens(text: str) -> Iterator[str]:
    """Split a name into parts: its last segment first, longest part first."""
    last = re.split(r"[/:]", text.rstrip("/*?:"))[-1]
    for part in (last, text):
        tokens = dict.fromkeys(_TOKEN.findall(part))
        yield from sorted((t for t in tokens if _is_name(t)), key=_length)


def _is_name(token: str) -> bool:
    return token.lower() not in _NO_NAMES and not _ACCOUNT.fullmatch(token)


def _length(token: str) -> int:
    return -len(token)


def _resources(store: Store, among: Wanted, token: str) -> list[str]:
    return values_like(
        store, "resource", token, replace(among, filter=Filter()), _OFFERED
    )


def entities_of(inventory: Inventory, chains: Chains) -> Entities:
    """Collect the ids of all entities by kind, from the snapshot and the audit logs."""
    facts = inventory.facts
    return {
        "agent": {*inventory.agents, *chains.agents.ids},
        "identity": {*(each.id for each in facts.identities), *chains.identities.ids},
        "credential": {*inventory.credentials, *chains.credentials.ids} - {""},
        "tool": {*(tool.id for tool in facts.tools), *chains.tools.ids},
        "person": {*inventory.persons, *chains.persons},
    }


def _like(entities: Entities, token: str) -> list[str]:
    folded = token.lower()
    found = []
    for kind, ids in entities.items():
        like = sorted(key for key in ids if folded in key.lower())
        found += [f"{kind} {key}" for key in like[:_OFFERED]]
    return found
