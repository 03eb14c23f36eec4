"""HTTP responses for route answers: pages, documents, files, redirects, errors."""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from answerable.web.http.errors import Refused
from answerable.web.http.request_parsing import own_path
from answerable.web.routing import Answer, Asked, File, Json, Moved, Page, Same, Told
from answerable.web.template_rendering import render
from answerable.web.visitor import Visit

JSON = "application/json"
PROBLEM = "application/problem+json"
HTML = "text/html; charset=utf-8"
API = "/api/"

_TOKEN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+.^_`|~-"
)
_KEPT = {"cache-control": "no-store"}
_TITLES = {
    400: "The request is malformed",
    401: "Sign in first",
    403: "Another site sent this request",
    404: "Nothing found",
    405: "The method is not supported",
    409: "A signature or record is invalid",
    413: "The request is too large",
    421: "Wrong host name",
    414: "The address is too long",
    415: "A form was expected",
    422: "The question cannot be answered",
    429: "Too many requests",
    503: "Temporarily unavailable",
}


def answered(answer: Answer, visit: Visit, asked: Asked) -> Response:
    """Build the response of an answer; pages render in a worker thread."""
    match answer:
        case Page():
            body = render(answer, visit, asked)
            fields = {**_KEPT, "vary": "HX-Request"}
            return Response(body, answer.status, fields, HTML)
        case Told():
            return told(answer)
        case Json():
            return Response(answer.body, 200, _held(answer.version), JSON)
        case Same():
            return Response(b"", 304, _held(answer.version))
        case File():
            return filed(answer)
        case Moved():
            return moved(answer.to)


def told(answer: Told) -> Response:
    """Build the response of a document."""
    document = answer.document
    said: dict[str, object] = {
        "schema": f"answerable/{document.kind}/v1",
        "items": document.items,
        "coverage": document.coverage,
    }
    if document.total >= 0:
        said["total"] = document.total
    if answer.after:
        said["after"] = answer.after
    fields = _held(answer.version) if answer.version else dict(_KEPT)
    if answer.next:
        fields["link"] = f'<{own_path(answer.next)}>; rel="next"'
    return Response(msgspec.json.encode(said), answer.status, fields, JSON)


def _held(version: str) -> dict[str, str]:
    """Return the cache validation fields (RFC 9110 8.8.3).

    The ETag is weak, because compression on the way changes the bytes.
    """
    return {"cache-control": "private, no-cache", "etag": f'W/"{version}"'}


def filed(answer: File) -> Response:
    """Build a download response; the file name is only a suggestion (RFC 6266, 8187)."""
    name = answer.name.replace("/", "_").replace("\\", "_").lstrip(".") or "answer"
    plain = "".join(each if each in _TOKEN else "_" for each in name)
    said = f'attachment; filename="{plain}"'
    if plain != name:
        said += f"; filename*=UTF-8''{quote(name, safe='')}"
    return Response(
        answer.body, 200, {**_KEPT, "content-disposition": said}, answer.media
    )


def moved(to: str, fields: Mapping[str, str] | None = None) -> Response:
    """Build a redirect to a local path."""
    return Response(b"", 303, {**_KEPT, "location": own_path(to), **(fields or {})})


def refused(refusal: Refused, visit: Visit, asked: Asked, path: str) -> Response:
    """Build an error page, or a problem document for `/api` (RFC 9457)."""
    title = _TITLES.get(refusal.status, "This went wrong")
    if path.startswith(API):
        said = {
            "type": f"urn:answerable:{refusal.why}",
            "title": title,
            "status": refusal.status,
            "detail": refusal.says,
        }
        if refusal.hint:
            said["hint"] = refusal.hint
        fields = dict(_KEPT)
        if refusal.status == 401:
            fields["www-authenticate"] = "Bearer"
        return Response(msgspec.json.encode(said), refusal.status, fields, PROBLEM)
    page = Page("refused.html", title, {"refusal": refusal}, refusal.status)
    return answered(page, visit, asked)
