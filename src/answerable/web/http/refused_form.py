"""Form of a refused request: its values again, so that no typed text is lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from answerable.connectors.formats.secrets_in_text import mask_written_secrets
from answerable.web.http.incoming_request import SENT_FORM
from answerable.web.http.request_parsing import build_permalink, strip_controls
from answerable.web.routing import API_PREFIX, WebRoute

_QUERY_STATUS = (400, 409, 422)  # a query that can be corrected


@dataclass(frozen=True, slots=True)
class FormField:
    """Field of a refused form.

    Attributes:
        label: Text beside it.
        is_long: Whether it needs several lines.
    """

    name: str
    label: str
    value: str
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class RefusedForm:
    """Form of a refused request, to correct it and to send it again.

    Attributes:
        typed: Fields that a person filled in.
        fixed: Fields that the page set.
        back: Page of the form, if it opens from its fields alone; empty if not known.
    """

    path: str
    method: str
    typed: tuple[FormField, ...] = ()
    fixed: tuple[FormField, ...] = ()
    back: str = ""


def find_refused_form(
    routes: Mapping[tuple[str, str], WebRoute], request: Request, status: int
) -> RefusedForm | None:
    """Return the form of a refused request; None for the API and for parts of pages.

    Args:
        routes: The routes by path and method.
        status: Status of the refusal.
    """
    path, is_post = str(request.scope["path"]), request.method == "POST"
    route = routes.get((path, "POST" if is_post else "GET"))
    is_part = request.headers.get("hx-request") == "true"
    if route is None or is_part or path.startswith(API_PREFIX):
        return None
    if is_post:
        sent = request.scope["state"].get(SENT_FORM, b"")
        above = path.rpartition("/")[0]  # `/case/note` is a form of `/case`
        page = routes.get((path, "GET")) or routes.get((above, "GET"))
        return _build_form(route, page, sent)
    if status not in _QUERY_STATUS:
        return None
    return _build_form(route, None, request.scope["query_string"])


def _build_form(
    route: WebRoute, page: WebRoute | None, data: bytes
) -> RefusedForm | None:
    """Build the form of a refused request; None if there is nothing to show again.

    A field without a label was set by the page. Fields of a route without labels, such
    as signatures, are valid once and are not shown.

    Args:
        page: The page at the same path or above it, for a form.
        data: The query or the form as sent.
    """
    sent = _parse_leniently(data)
    is_query = route.method == "GET"
    labels = {each: each for each in route.parameters} if is_query else route.labels
    typed = _select_fields(sent, labels)
    back = "" if page is None else _build_page_url(page, sent)
    if not typed:
        return RefusedForm(route.path, route.method, back=back) if back else None
    others = {
        name: name for name in route.parameters if name not in labels and sent.get(name)
    }
    fixed = _select_fields(sent, others)
    return RefusedForm(route.path, route.method, typed, fixed, back)


def _parse_leniently(data: bytes) -> dict[str, str]:
    """Parse fields without any check; the first value of a repeated field counts."""
    fields: dict[str, str] = {}
    for name, value in parse_qsl(
        data.decode("ascii", "replace"), keep_blank_values=True, errors="replace"
    ):
        fields.setdefault(name, _clean(value))
    return fields


def _clean(value: str) -> str:
    """Return a value as fields have it, without what a page must not show."""
    return mask_written_secrets(strip_controls(value.replace("\r\n", "\n")))


def _select_fields(
    sent: Mapping[str, str], labels: Mapping[str, str]
) -> tuple[FormField, ...]:
    """Return the sent fields that have a label, in the order of the labels."""
    return tuple(
        FormField(name, label, value, "\n" in value or len(value) > 120)
        for name, label in labels.items()
        if (value := sent.get(name)) is not None
    )


def _build_page_url(page: WebRoute, sent: Mapping[str, str]) -> str:
    """Return the URL of a page with the sent fields that it accepts.

    A form below a page names its subject by the page: `case` is the `id` of `/case`.
    """
    known = {"id": sent.get(page.path.strip("/"), ""), **sent}
    query = {name: known[name] for name in page.parameters if known.get(name)}
    return build_permalink(page.path, query)
