"""Parse AuthZEN batches of evaluations, and pages of searches (1.0, 7 and 8)."""

import hashlib
import json
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from answerable.pdp.wire.evaluation_request import (
    JsonMembers,
    check_member_types,
    get_optional_object,
)
from answerable.pdp.wire.problem_documents import MalformedRequest

MAX_EVALUATIONS = 256  # evaluations in one message
DEFAULT_KEYS = ("subject", "action", "resource", "context")
DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 100, 1000  # results of a page


class BatchSemantic(StrEnum):
    """Evaluation semantics of a batch (AuthZEN 7.1.2.1)."""

    ALL = "execute_all"
    UNTIL_DENIED = "deny_on_first_deny"
    UNTIL_PERMITTED = "permit_on_first_permit"

    def stops_after(self, decision: bool) -> bool:
        """Return whether no further evaluation is made after a decision."""
        if self is BatchSemantic.UNTIL_DENIED:
            return not decision
        return self is BatchSemantic.UNTIL_PERMITTED and decision


class PageRequest(msgspec.Struct, frozen=True):
    """Requested page of a search.

    Attributes:
        token: Token of the previous page, empty for the first.
        limit: Page size; None for the default.
        asked: SHA-256 of the search, which must not change between pages.
    """

    token: str
    limit: int | None
    asked: str


def parse_batch(body: JsonMembers) -> list[JsonMembers]:
    """Return the evaluations of a batch with its defaults (AuthZEN 7.1.1).

    Empty for a single evaluation.

    Raises:
        Invalid: They are no list of objects, too many, or a key has the wrong type.
    """
    check_member_types(body)
    given = body.get("evaluations", [])
    if not isinstance(given, list):
        raise MalformedRequest("evaluations must be an array", "key-type")
    if len(given) > MAX_EVALUATIONS:
        raise MalformedRequest(
            f"evaluations must have at most {MAX_EVALUATIONS} items", "too-many"
        )
    return list(_apply_batch_defaults(body, given))


def _apply_batch_defaults(
    batch: JsonMembers, items: list[object]
) -> Iterator[JsonMembers]:
    """Yield each evaluation of a batch, completed by the batch's defaults."""
    defaults = {key: batch[key] for key in DEFAULT_KEYS if key in batch}
    for number, each in enumerate(items):
        if not isinstance(each, dict):
            raise MalformedRequest(
                f"evaluations[{number}] must be an object", "key-type"
            )
        check_member_types(each, path_prefix=f"evaluations[{number}].")
        # A key that stands there replaces the default whole.
        yield {**defaults, **each}


def parse_evaluations_semantic(body: JsonMembers) -> BatchSemantic:
    """Parse AuthZEN's `options.evaluations_semantic`: when a batch stops early.

    Raises:
        Invalid: It is unknown.
    """
    options = get_optional_object(body, "options", "options")
    word = options.get("evaluations_semantic", BatchSemantic.ALL.value)
    if not isinstance(word, str) or word not in list(BatchSemantic):
        words = ", ".join(BatchSemantic)
        raise MalformedRequest(f"options.evaluations_semantic must be one of {words}")
    return BatchSemantic(word)


def parse_page_request(body: JsonMembers, search_kind: str) -> PageRequest:
    """Parse the pagination object `page` of a search.

    Args:
        search_kind: Kind of search; a token of another kind is rejected.

    Raises:
        Invalid: A key has the wrong type.
    """
    page = get_optional_object(body, "page", "page")
    token, limit = page.get("token", ""), page.get("limit")
    if not isinstance(token, str):
        raise MalformedRequest("page.token must be a string", "key-type")
    if isinstance(limit, float) and limit.is_integer():
        limit = int(limit)
    is_count = isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0
    if "limit" in page and not is_count:
        raise MalformedRequest("page.limit must be a non-negative integer", "key-type")
    get_optional_object(page, "properties", "page.properties")
    kept = {key: page[key] for key in page.keys() - {"token", "limit"}}
    same = {"what": search_kind, "page": kept} | {
        key: body.get(key) for key in DEFAULT_KEYS
    }
    spelled = json.dumps(same, sort_keys=True)
    return PageRequest(
        token=token,
        limit=limit if isinstance(limit, int) else None,
        asked=hashlib.sha256(spelled.encode()).hexdigest(),
    )
