"""Pages and forms of investigation cases: open, extend, assign, close, download."""

from collections.abc import Mapping, Sequence
from typing import cast

from answerable.inventory.person_directory import describe_unknown_person
from answerable.model.documents.cases import CaseItem, CaseRecordItem
from answerable.model.documents.trace import TraceItem
from answerable.model.errors import UsageError
from answerable.presentation.chain_groups import group_by_chain
from answerable.services.evidence.cases import UnknownCaseError
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage import export_case, manage_cases
from answerable.web.activity_scope import build_search_scope
from answerable.web.chain_links import build_chain_links
from answerable.web.http.errors import build_not_found_error
from answerable.web.pages.revocations import get_requester_name
from answerable.web.routing import (
    FileDownload,
    PageAnswer,
    Redirect,
    RouteAnswer,
    RouteHandler,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.svg.chain_diagram import draw_chains
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

CASE_PERMISSIONS = frozenset({WebPermission.INVESTIGATE})
MAX_IDS = 200  # ids that one form adds


def get_author(visitor: Visitor) -> str:
    """Return the author of a record: the person, and the sign-in that names them."""
    method = "local token" if visitor.by in ("", "local") else visitor.by
    return f"{get_requester_name(visitor)}, web page, {method}"[:200]


def list_open_cases(cache: StoreCache, visitor: Visitor) -> Sequence[CaseItem]:
    """List the open cases, newest first, for forms that add to one."""
    if not CASE_PERMISSIONS & visitor.may:
        return ()
    with cache.open_store() as store:
        items = cast("Sequence[CaseItem]", manage_cases.list_stored_cases(store).items)
    return [item for item in items if item["state"] == "open"]


def list_cases(
    cache: StoreCache, _visitor: Visitor, _request: RouteRequest
) -> RouteAnswer:
    """List all cases, newest first, with a form that opens one."""
    with cache.open_store() as store:
        document = manage_cases.list_stored_cases(store)
    coverage = document.coverage if document.is_partial else None
    values = {"items": document.items, "coverage": coverage}
    return PageAnswer("cases.html", "Cases", values)


def show_case(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show a case: its chains in six columns, its records, and its forms."""
    key = request.query.get("id", "")
    scope = build_search_scope(cache, visitor)
    with cache.open_store() as store:
        try:
            document = manage_cases.show_case(store, key, now=cache.now, loaded=scope)
        except UnknownCaseError:
            raise build_not_found_error() from None
        (case,) = (
            item
            for item in manage_cases.list_stored_cases(store).items
            if item["id"] == document.items[0]["case"]
        )
    records = cast("Sequence[CaseRecordItem]", document.items)
    by_id: dict[str, TraceItem] = {
        row["event_id"]: row for each in records for row in each["rows"]
    }
    rows = sorted(by_id.values(), key=lambda row: row["event_time"])
    groups = group_by_chain(rows)
    values = {
        "case": case,
        "records": records,
        "rows": rows,
        "picture": draw_chains(
            groups,
            build_chain_links(cache),
            [group.items[0]["event_time"] for group in groups],
        )
        if rows
        else None,
        "coverage": document.coverage,
    }
    return PageAnswer("case.html", f"Case: {case['title']}", values)


def _add_to_case(
    cache: StoreCache,
    store: EvidenceStore,
    key: str,
    ids: Sequence[str],
    visitor: Visitor,
) -> None:
    """Add items to a case, findings of the gateway's policies among them."""
    manage_cases.add_to_case(
        store,
        key,
        ids,
        get_author(visitor),
        now=cache.now,
        read_limits=cache.read_argument_limits,
    )


def open_case(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Open a case with a title, and add items to it."""
    title = request.form.get("title", "")
    ids = read_ids(request)
    with cache.open_store() as store:
        document = manage_cases.create_case(
            store, title, get_author(visitor), now=cache.now
        )
        key = str(document.items[0]["id"])
        if ids:
            _add_to_case(cache, store, key, ids, visitor)
    return Redirect(_case_url(key), f"The case is open{_count_added(ids)}.")


def add_items(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Add events, decisions or findings to a case."""
    key, ids = request.form.get("case", ""), read_ids(request)
    if not key:
        return open_case(cache, visitor, request)
    with cache.open_store() as store:
        _add_to_case(cache, store, key, ids, visitor)
    return Redirect(_case_url(key), f"The case is extended{_count_added(ids)}.")


def add_note(cache: StoreCache, visitor: Visitor, request: RouteRequest) -> RouteAnswer:
    """Add a note to a case."""
    key = request.form.get("case", "")
    with cache.open_store() as store:
        manage_cases.note_on_case(
            store,
            key,
            request.form.get("text", ""),
            get_author(visitor),
            now=cache.now,
        )
    return Redirect(_case_url(key), "The note is recorded.")


def assign(cache: StoreCache, visitor: Visitor, request: RouteRequest) -> RouteAnswer:
    """Assign a case to a person; a name that no scan contains is a warning."""
    key, person = request.form.get("case", ""), request.form.get("person", "")
    with cache.open_store() as store:
        manage_cases.assign_case(store, key, person, get_author(visitor), now=cache.now)
    unknown = describe_unknown_person(cache.current_view().inventory, person)
    return Redirect(
        _case_url(key),
        f"The case is assigned, but {unknown}" if unknown else "The case is assigned.",
    )


def close(cache: StoreCache, visitor: Visitor, request: RouteRequest) -> RouteAnswer:
    """Close a case with a reason; its records stay."""
    key = request.form.get("case", "")
    with cache.open_store() as store:
        manage_cases.close_case(
            store,
            key,
            request.form.get("reason", ""),
            get_author(visitor),
            now=cache.now,
        )
    return Redirect(_case_url(key), "The case is closed.")


def download_bundle(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Return the file of a case that verifies offline."""
    scope = build_search_scope(cache, visitor)
    with cache.open_store() as store:
        document = export_case.build_case_bundle(
            store, request.query.get("id", ""), now=cache.now, loaded=scope
        )
    item = document.items[0]
    body = str(item["bundle"]).encode()
    return FileDownload(f"case-{item['case']}.bundle", "application/json", body)


def download_page(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Return the printable page of a case as one HTML file without script."""
    scope, key = build_search_scope(cache, visitor), request.query.get("id", "")
    with cache.open_store() as store:
        page = export_case.build_case_page(store, key, now=cache.now, loaded=scope)
        body = "".join(f"{line}\n" for line in page.lines).encode()
    return FileDownload(f"case-{key}.html", "text/html; charset=utf-8", body)


def read_ids(request: RouteRequest) -> list[str]:
    """Return the ids of a form, separated by spaces.

    Raises:
        UsageError: There are too many.
    """
    ids = request.form.get("ids", "").split()
    if len(ids) > MAX_IDS:
        raise UsageError(
            f"too many ids (got {len(ids):,}, expected at most {MAX_IDS})",
            "add them in several steps",
        )
    return ids


def _count_added(ids: Sequence[str]) -> str:
    """Describe how many items a form added."""
    return f", with {len(ids):,} items added" if ids else ""


def _case_url(key: str) -> str:
    """Return the page of a case."""
    return build_url("/case", id=key)


_FORMS: tuple[tuple[str, RouteHandler, tuple[str, ...], Mapping[str, str]], ...] = (
    ("/cases", open_case, ("title", "ids"), {"title": "title", "ids": "items"}),
    (
        "/case/add",
        add_items,
        ("case", "title", "ids"),
        {"case": "case", "title": "title of a new case", "ids": "items"},
    ),
    ("/case/note", add_note, ("case", "text"), {"text": "note"}),
    ("/case/assign", assign, ("case", "person"), {"person": "person"}),
    ("/case/close", close, ("case", "reason"), {"reason": "reason"}),
)
ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/cases", list_cases, CASE_PERMISSIONS),
    WebRoute("/case", show_case, CASE_PERMISSIONS, ("id",)),
    WebRoute("/case/bundle", download_bundle, CASE_PERMISSIONS, ("id",)),
    WebRoute("/case/page", download_page, CASE_PERMISSIONS, ("id",)),
    *(
        WebRoute(path, handler, CASE_PERMISSIONS, fields, "POST", labels=labels)
        for path, handler, fields, labels in _FORMS
    ),
)
