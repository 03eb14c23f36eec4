"""Build HTTP responses: pages, JSON documents, files, redirects, errors."""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from answerable.web.http.errors import RequestRejected
from answerable.web.http.refused_form import RefusedForm
from answerable.web.http.request_parsing import sanitize_redirect_path
from answerable.web.routing import (
    API_PREFIX,
    DocumentAnswer,
    FileDownload,
    JsonAnswer,
    NotModified,
    PageAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
)
from answerable.web.template_rendering import render_page
from answerable.web.visitor import Visitor

JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
HTML_TYPE = "text/html; charset=utf-8"

_TOKEN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+.^_`|~-"
)
_NO_STORE = {"cache-control": "no-store"}
_TITLES_OF_REASONS = {
    "csrf": "The form is from another session",
    "usage": "An entry is not accepted",
}
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
    422: "The query cannot be answered",
    429: "Too many requests",
    503: "Temporarily unavailable",
}


def build_response(
    answer: RouteAnswer, visitor: Visitor, request: RouteRequest
) -> Response:
    """Build the HTTP response of a route answer; renders pages."""
    match answer:
        case PageAnswer():
            body = render_page(answer, visitor, request)
            fields = {**_NO_STORE, "vary": "HX-Request"}
            return Response(body, answer.status, fields, HTML_TYPE)
        case DocumentAnswer():
            return document_response(answer)
        case JsonAnswer():
            return Response(
                answer.body, 200, _build_caching_fields(answer.version), JSON_TYPE
            )
        case NotModified():
            return Response(b"", 304, _build_caching_fields(answer.version))
        case FileDownload():
            return file_response(answer)
        case Redirect():
            return redirect_response(answer.location)


def document_response(answer: DocumentAnswer) -> Response:
    """Build the JSON response of a document, with ETag and `Link` to the next page."""
    document = answer.document
    body: dict[str, object] = {
        "schema": f"answerable/{document.kind}/v1",
        "items": document.items,
        "coverage": document.coverage,
    }
    if document.total >= 0:
        body["total"] = document.total
    if answer.after:
        body["after"] = answer.after
    fields = (
        _build_caching_fields(answer.version) if answer.version else dict(_NO_STORE)
    )
    if answer.next:
        fields["link"] = f'<{sanitize_redirect_path(answer.next)}>; rel="next"'
    return Response(msgspec.json.encode(body), answer.status, fields, JSON_TYPE)


def _build_caching_fields(version: str) -> dict[str, str]:
    """Return the Cache-Control and ETag headers (RFC 9110 8.8.3).

    The ETag is weak, because compression on the way changes the bytes.
    """
    return {"cache-control": "private, no-cache", "etag": f'W/"{version}"'}


def file_response(answer: FileDownload) -> Response:
    """Build a download; the file name is only a suggestion (RFC 6266, 8187)."""
    name = answer.name.replace("/", "_").replace("\\", "_").lstrip(".") or "answer"
    ascii_name = "".join(each if each in _TOKEN else "_" for each in name)
    disposition = f'attachment; filename="{ascii_name}"'
    if ascii_name != name:
        disposition += f"; filename*=UTF-8''{quote(name, safe='')}"
    return Response(
        answer.body,
        200,
        {**_NO_STORE, "content-disposition": disposition},
        answer.media,
    )


def redirect_response(
    location: str, fields: Mapping[str, str] | None = None
) -> Response:
    """Build a redirect to a local path."""
    return Response(
        b"",
        303,
        {**_NO_STORE, "location": sanitize_redirect_path(location), **(fields or {})},
    )


def error_response(
    refusal: RequestRejected,
    visitor: Visitor,
    request: RouteRequest,
    path: str,
    form: RefusedForm | None = None,
) -> Response:
    """Build an error page, or a problem document for `/api` (RFC 9457).

    Args:
        form: The refused form with its values, for a page.
    """
    title = _TITLES_OF_REASONS.get(refusal.why) or _TITLES.get(
        refusal.status, "This went wrong"
    )
    if path.startswith(API_PREFIX):
        problem = {
            "type": f"urn:answerable:{refusal.why}",
            "title": title,
            "status": refusal.status,
            "detail": refusal.says,
        }
        if refusal.hint:
            problem["hint"] = refusal.hint
        if refusal.link:
            problem["link"] = refusal.link
        fields = dict(_NO_STORE)
        if refusal.status == 401:
            fields["www-authenticate"] = "Bearer"
        return Response(
            msgspec.json.encode(problem), refusal.status, fields, PROBLEM_TYPE
        )
    page = PageAnswer(
        "refused.html", title, {"refusal": refusal, "form": form}, refusal.status
    )
    return build_response(page, visitor, request)
