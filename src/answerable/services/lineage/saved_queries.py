"""Read and write the saved queries of a store, shared by its users.

A query is kept in the search language, the same for the command line and the API. Each
change is an object of the store with an entry in the log; the last one of a name counts.
"""

import re
from dataclasses import dataclass

import msgspec

from answerable.connectors.formats.secrets_in_text import contains_written_secret
from answerable.lineage.search_query import SearchQuery, parse_search_query
from answerable.model.errors import UsageError, VerificationError
from answerable.store.store import EvidenceStore

SAVED_QUERY = "saved-query"  # kind of the stored objects
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")  # ids, no secrets


class SavedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A saved query.

    Attributes:
        name: Name, unique in the store.
        query: Filter in the search language; empty for all events.
        by: Fields to count by, separated by commas; empty for rows.
        at: UTC nanoseconds as a decimal string.
        author: Login name that saved it; not verified.
        deleted: Whether this change deletes the name.
    """

    name: str
    query: str
    by: str
    at: str
    author: str
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class QueryDraft:
    """Query to save under a name."""

    name: str
    query: SearchQuery
    by: str


def list_saved_queries(store: EvidenceStore) -> list[SavedQuery]:
    """List the saved queries of a store by name, without the deleted ones."""
    found: dict[str, SavedQuery] = {}
    for logged in store.list_objects(SAVED_QUERY):
        try:
            saved = msgspec.json.decode(
                store.get_object(logged.digest), type=SavedQuery, strict=True
            )
        except (ValueError, RecursionError):
            raise VerificationError(
                "a saved query has a form that this release does not support"
            ) from None
        found[saved.name] = saved
    return [saved for _, saved in sorted(found.items()) if not saved.deleted]


def find_saved_query(store: EvidenceStore, name: str) -> SavedQuery:
    """Find a saved query by its name.

    Raises:
        UsageError: There is none.
    """
    saved = list_saved_queries(store)
    for each in saved:
        if each.name == name:
            return each
    names = ", ".join(each.name for each in saved[:20])
    raise UsageError(
        f"no saved query has this name (got {name[:80]!r})",
        f"saved queries: {names}"
        if names
        else "save one: answerable trace --agent NAME --save NAME",
    )


def save_query(
    store: EvidenceStore, draft: QueryDraft, author: str, now: int
) -> SavedQuery:
    """Save a query under a name; an earlier one of the name is replaced.

    Raises:
        UsageError: The name is malformed, or the query contains a credential.
    """
    if _NAME.fullmatch(draft.name) is None:
        raise UsageError(
            f"invalid name of a query (got {draft.name[:80]!r}, expected letters, "
            "digits, `.`, `_` and `-`, at most 64)"
        )
    text = draft.query.format_as_text
    if contains_written_secret(_KEY_ID.sub("", text)):
        raise UsageError(
            "the query contains a credential",
            "name the credential by its id: a store keeps no secret",
        )
    parse_search_query(text)  # refuses one that is too long
    return _append_change(
        store,
        SavedQuery(
            name=draft.name, query=text, by=draft.by, at=str(now), author=author
        ),
        now,
    )


def delete_saved_query(
    store: EvidenceStore, name: str, author: str, now: int
) -> SavedQuery:
    """Delete a saved query; its history stays in the log.

    Raises:
        UsageError: There is none of that name.
    """
    known = find_saved_query(store, name)
    changed = SavedQuery(
        name=name,
        query=known.query,
        by=known.by,
        at=str(now),
        author=author,
        deleted=True,
    )
    return _append_change(store, changed, now)


def merge_queries(base: SearchQuery, other: SearchQuery) -> SearchQuery:
    """Merge two queries; fields of the other one take precedence."""
    merged = base
    for field, value in other.said:
        merged = merged.with_field(field, value)
    words = tuple(dict.fromkeys((*base.words, *other.words)))
    return SearchQuery(merged.said, words)


def _append_change(store: EvidenceStore, saved: SavedQuery, now: int) -> SavedQuery:
    """Append a change to the store."""
    data = msgspec.json.encode(saved, order="sorted")
    store.put_object(SAVED_QUERY, data, now)
    return saved
