"""Resources of a question: an ARN, an `s3://` URI, part of a name, or an event's id."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from answerable.model.inventory import Inventory
from answerable.reach.words import as_arn
from answerable.store.chains import Filter
from answerable.store.finding import Wanted, values_like
from answerable.store.store import Store

_OFFERED = 3
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{2,}")
_NO_NAMES = frozenset(("arn", "aws", "iam"))


def number_of(text: str) -> bytes | None:
    """Read the id of an event: 32 hex digits, with or without the dashes of a UUID."""
    digits = text.strip().replace("-", "")
    try:
        number = bytes.fromhex(digits)
    except ValueError:
        return None
    return number if len(number) == 16 and len(digits) == 32 else None


def narrowed(found: Filter, resource: str) -> Filter:
    """Narrow a filter to a resource, or to the one event whose id stands there."""
    text = resource.strip()
    if not text:
        return found
    number = number_of(text)
    if number is not None:
        return replace(found, event=number)
    return replace(found, resources=patterns_of(text))


def patterns_of(resource: str) -> list[str]:
    """Patterns of which a resource fits one.

    An ARN or a URI stands as it is, anything else for part of a name. An `s3://` URI of
    a bucket, or one that ends in `/`, stands for all below it, too.
    """
    typed = resource.strip()
    text = as_arn(typed)
    if ":" not in text:
        return [f"*{text}*"]
    if _is_folder(typed):
        return [text, f"{text}/*"]
    return [text]


def _is_folder(uri: str) -> bool:
    """Tell whether an `s3://` URI names a bucket or a prefix, and no object."""
    place = uri.removeprefix("s3://")
    globs = "*" in place or "?" in place
    return place != uri and not globs and ("/" not in place or place.endswith("/"))


def offers(
    store: Store, inventory: Inventory, among: Wanted, texts: Iterable[str]
) -> str:
    """Name what exists and is spelled like a text that no event fits.

    Args:
        store: Where the events are.
        inventory: Agents, identities, credentials and tools.
        among: Events that may be told of.
        texts: What was asked for.

    Returns:
        One line, empty where nothing is like it.
    """
    said = []
    for text in texts:
        for token in _tokens(text):
            found = [f"resource {v}" for v in _resources(store, among, token)]
            found += _entities(inventory, token)
            if found:
                said += found[: 2 * _OFFERED]
                break
    return f"there is {', '.join(dict.fromkeys(said))}" if said else ""


def _tokens(text: str) -> Iterator[str]:
    """Longest runs of letters first: they tell most."""
    tokens = dict.fromkeys(_TOKEN.findall(text))
    yield from sorted((t for t in tokens if t.lower() not in _NO_NAMES), key=_length)


def _length(token: str) -> int:
    return -len(token)


def _resources(store: Store, among: Wanted, token: str) -> list[str]:
    return values_like(
        store, "resource", token, replace(among, filter=Filter()), _OFFERED
    )


def _entities(inventory: Inventory, token: str) -> list[str]:
    folded = token.lower()
    kinds: tuple[tuple[str, Iterable[str]], ...] = (
        ("agent", inventory.agents),
        ("identity", (identity.id for identity in inventory.facts.identities)),
        ("credential", inventory.credentials),
        ("tool", dict.fromkeys(tool.id for tool in inventory.facts.tools)),
    )
    found = []
    for kind, ids in kinds:
        like = sorted(key for key in ids if folded in key.lower())
        found += [f"{kind} {key}" for key in like[:_OFFERED]]
    return found
