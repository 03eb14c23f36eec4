"""Define an operation of `/api/v1`: validate parameters, run its handler, add an ETag.

Routes, validation and the OpenAPI document derive from one description.
"""

import base64
import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from urllib.parse import urlencode

from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import AmbiguousError, UsageError
from answerable.web.http.errors import RequestRejected
from answerable.web.routing import (
    DocumentAnswer,
    Forbidden,
    NotModified,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

PREFIX = "/api/v1"
LOOK = frozenset({WebPermission.LOOK})
ACTIVITY = frozenset({WebPermission.INVESTIGATE, WebPermission.OWN})
ALL_ACTIVITY = frozenset({WebPermission.INVESTIGATE})
MAX_TEXT = 2_000
MAX_ITEMS, DEFAULT_ITEMS = 1_000, 100
_MINUTE = 60_000_000_000
# Line ends and tabs are the only control characters, as in parsed fields.
_TEXT = r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F]*$"

OperationParams = Mapping[str, str]
OperationHandler = Callable[
    [StoreCache, Visitor, OperationParams], "Document | DocumentPart"
]


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """One page of a document.

    Attributes:
        document: With the items of the page.
        after: Cursor of the next page, empty at the end.
    """

    document: Document
    after: str = ""


@dataclass(frozen=True, slots=True)
class ApiParameter:
    """One parameter of an operation.

    Attributes:
        name: As the option of the command line.
        choices: Accepted values; empty for any text.
        is_list: Whether several choices can be given, separated by commas.
        maximum: Maximum of a number; 0 for a text.
        default: Default of a number.
        max_length: Maximum characters of a text.
    """

    name: str
    description: str
    choices: tuple[str, ...] = ()
    required: bool = False
    maximum: int = 0
    default: int = 0
    max_length: int = MAX_TEXT
    is_list: bool = False

    @property
    def schema(self) -> Mapping[str, object]:
        """Return the JSON Schema of the parameter."""
        if self.maximum:
            return {
                "type": "integer",
                "minimum": 1,
                "maximum": self.maximum,
                "default": self.default,
            }
        if self.choices:
            choice = {"type": "string", "enum": list(self.choices)}
            return {"type": "array", "items": choice} if self.is_list else choice
        least = 1 if self.required else 0
        return {
            "type": "string",
            "minLength": least,
            "maxLength": self.max_length,
            "pattern": _TEXT,
        }

    def validate(self, value: str | None) -> None:
        """Check a sent value against the choices, number range and length.

        Raises:
            RequestRejected: The value is invalid; the message says what was expected.
        """
        if value is None:
            if self.required:
                raise _build_parameter_error(self.name, "is missing", self.description)
        elif self.maximum:
            plain = value.isascii() and value.isdigit() and len(value) <= 9
            if not plain or not 1 <= int(value) <= self.maximum or value[0] == "0":
                raise _build_parameter_error(
                    self.name, "is not a valid number", f"expected 1 to {self.maximum}"
                )
        elif self.choices:
            for each in value.split(",") if self.is_list else (value,):
                self._require_choice(each)
        elif len(value) > self.max_length or (self.required and not value):
            raise _build_parameter_error(
                self.name,
                "is empty or too long",
                f"expected up to {self.max_length:,} characters",
            )

    def _require_choice(self, value: str) -> None:
        """Check that a value is one of the choices."""
        if value not in self.choices:
            near = get_close_matches(value[:80].lower(), self.choices, 1)
            expected = f"expected {', '.join(self.choices)}"
            raise _build_parameter_error(
                self.name,
                "is not an accepted value",
                f"{expected}; did you mean {near[0]}?" if near else expected,
            )


def _build_parameter_error(name: str, problem: str, expected: str) -> RequestRejected:
    """Build the 400 error about one parameter."""
    return RequestRejected(
        400, "parameter", f"the parameter {name} {problem}", expected
    )


def flag_parameter(name: str, description: str) -> ApiParameter:
    """Build a parameter with the values `true` and `false`."""
    return ApiParameter(name, description, ("true", "false"))


LIMIT = ApiParameter(
    "limit",
    "Maximum number of items in a response.",
    maximum=MAX_ITEMS,
    default=DEFAULT_ITEMS,
)
AFTER = ApiParameter("after", "Cursor: `after` of the previous response.")
PAGING_PARAMETERS = (LIMIT, AFTER)


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One operation.

    Attributes:
        path: Path below `/api/v1`.
        handler: Handler; gets the parameters that are present.
        kind: Kind of the document.
        item: Type of its items; None without a fixed shape.
        permissions: Permissions, any of which suffices.
        varies_with_time: The answer changes with time, or with more than the store.
        command: The same on the command line.
        method: GET, or POST for changes.
        has_etag: Whether answers carry an ETag.
    """

    path: str
    summary: str
    handler: OperationHandler
    kind: str
    item: type | None
    parameters: tuple[ApiParameter, ...] = ()
    permissions: frozenset[WebPermission] = LOOK
    varies_with_time: bool = False
    command: str = ""
    method: str = "GET"
    has_etag: bool = True

    @property
    def operation_id(self) -> str:
        """Return the OpenAPI `operationId`, derived from path and method."""
        name = self.path.strip("/").replace("/", "-")
        return name if self.method == "GET" else f"do-{name}"

    @property
    def to_route(self) -> WebRoute:
        """Return the web route that runs this operation."""
        names = tuple(each.name for each in self.parameters)
        return WebRoute(
            PREFIX + self.path,
            self.handle,
            self.permissions,
            names,
            self.method,
            keeps_empty_fields=True,
        )

    def handle(
        self, cache: StoreCache, visitor: Visitor, request: RouteRequest
    ) -> RouteAnswer:
        """Check the parameters; answer 304 for a known ETag, else run the handler."""
        sent = request.query if self.method == "GET" else request.form
        for parameter in self.parameters:
            parameter.validate(sent.get(parameter.name))
        params = {name: value for name, value in sent.items() if value}
        has_etag = self.has_etag and self.method == "GET"
        etag = self._compute_etag(cache, visitor, params) if has_etag else ""
        if has_etag and etag in request.etags:
            return NotModified(etag)
        answer = _map_name_errors(partial(self.handler, cache, visitor, params))
        part = answer if isinstance(answer, DocumentPart) else DocumentPart(answer)
        next_url = ""
        if part.after:
            more = urlencode({**params, "after": part.after})
            next_url = f"{PREFIX}{self.path}?{more}"
        return DocumentAnswer(part.document, part.after, version=etag, next=next_url)

    def _compute_etag(
        self, cache: StoreCache, visitor: Visitor, params: OperationParams
    ) -> str:
        """Hash path, store version, visitor and parameters into an ETag."""
        parts = [
            self.path,
            cache.version(),
            visitor.person or "",
            *sorted(visitor.roles),
            *sorted(visitor.owns),
            *(f"{name}={value}" for name, value in sorted(params.items())),
        ]
        if self.varies_with_time:
            parts += [str(get_current_minute(cache)), *_read_spool_state(cache)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _map_name_errors(
    handler: Callable[[], Document | DocumentPart],
) -> Document | DocumentPart:
    """Call a handler and map errors about unknown or ambiguous names to 422."""
    try:
        return handler()
    except AmbiguousError as error:
        raise RequestRejected(422, "ambiguous", error.message, error.hint) from None
    except UsageError as error:
        raise RequestRejected(422, "usage", error.message, error.hint) from None


def _read_spool_state(cache: StoreCache) -> list[str]:
    """Return name, size and mtime of each spool file; answers depend on them."""
    entries = []
    for spool in cache.spools:
        # `walk` skips folders that are removed while it runs.
        for folder, _, names in os.walk(spool):
            for name in names:
                with contextlib.suppress(OSError):
                    status = os.stat(os.path.join(folder, name))
                    entries.append(f"{name} {status.st_size} {status.st_mtime_ns}")
    return sorted(entries)


def get_current_minute(cache: StoreCache) -> int:
    """Return the start of the current minute, UTC ns, so that answers can be cached."""
    return cache.now // _MINUTE * _MINUTE


def paginate_document(
    document: Document,
    sort_fields: tuple[str, str],
    params: OperationParams,
    *,
    newest_first: bool = False,
) -> DocumentPart:
    """Sort the items of a complete document and return one page of it.

    Args:
        sort_fields: Sort fields, unique together.
        params: With `after` and `limit`.

    Raises:
        UsageError: `after` is not a cursor of it.
    """

    def sort_key(item: Mapping[str, object]) -> tuple[str, str]:
        return str(item[sort_fields[0]]), str(item[sort_fields[1]])

    items = sorted(document.items, key=sort_key, reverse=newest_first)
    if params.get("after"):
        last = _decode_cursor(params["after"])
        items = [
            e
            for e in items
            if (sort_key(e) < last if newest_first else sort_key(e) > last)
        ]
    limit = read_page_size(params)
    more = _encode_cursor(sort_key(items[limit - 1])) if len(items) > limit else ""
    total = len(document.items) if more or params.get("after") else -1
    kept = Document(document.kind, items[:limit], document.coverage, total=total)
    return DocumentPart(kept, more)


def _encode_cursor(sort_key: tuple[str, str]) -> str:
    """Encode the sort key of an item as an opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(sort_key).encode()).decode()


def _decode_cursor(text: str) -> tuple[str, str]:
    """Decode a cursor; a UsageError if it is not one of this list."""
    try:
        first, second = json.loads(base64.b64decode(text, b"-_", validate=True))
    except (ValueError, TypeError, RecursionError):
        first = second = None
    if not isinstance(first, str) or not isinstance(second, str):
        raise UsageError(
            f"invalid page cursor (got {text[:40]!r})",
            "use the `after` value of the previous response, or omit `after`",
        )
    return first, second


def read_page_size(params: OperationParams) -> int:
    """Return the page size of the parameter `limit`, or its default."""
    return int(params.get("limit", DEFAULT_ITEMS))


def is_flag_set(params: OperationParams, name: str) -> bool:
    """Return whether a flag parameter is `true`."""
    return params.get(name) == "true"


def require_visible(visitor: Visitor, *subjects: str) -> None:
    """Check that the visitor may see the activity of a subject.

    Raises:
        Forbidden: The visitor may see none of the subjects.
    """
    if not visitor.can_see_activity_of(*subjects):
        raise Forbidden
