"""Read users from JSON responses of four directory APIs.

Addresses that users can change themselves are not read: they would let one user take
the name of another.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from answerable.connectors.formats.aws_api_responses import (
    DECODE_ERRORS,
    parse_aws_answers,
)
from answerable.connectors.people.parse.directory_entry import (
    DirectoryEntry,
    UnreadEntry,
)

_LISTS = ("Resources", "value", "users")
# https://www.rfc-editor.org/rfc/rfc7643#section-4.3
_ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
# https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/
_OKTA_STATUS = {
    "STAGED": True,
    "PROVISIONED": True,
    "ACTIVE": True,
    "RECOVERY": True,
    "PASSWORD_EXPIRED": True,
    "LOCKED_OUT": True,
    "SUSPENDED": False,
    "DEPROVISIONED": False,
}

_User = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _DirectoryApi:
    """API of a directory: the field that only its users have, and how to read one."""

    marker: str
    read: Callable[[_User, str], DirectoryEntry]


def iterate_json_entries(
    data: bytes, place: str
) -> Iterator[DirectoryEntry | UnreadEntry]:
    """Yield each user of an array, of JSON lines, or of pages with a list.

    Raises:
        ParseError: The bytes are not JSON objects.
    """
    for answer in parse_aws_answers(data, place):
        at = f"{place}#{answer.pointer}"
        wrapped = next((name for name in _LISTS if name in answer.fields), None)
        if wrapped is None:
            yield _read_user(answer.fields, at)
            continue
        try:
            users = msgspec.json.decode(answer.fields[wrapped], type=list[msgspec.Raw])
        except DECODE_ERRORS:
            yield UnreadEntry(f"{at}/{wrapped}", "not a list of users")
            continue
        for index, raw in enumerate(users):
            inner = f"{at}/{wrapped}/{index}"
            try:
                fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
            except DECODE_ERRORS:
                yield UnreadEntry(inner, "not an object")
            else:
                yield _read_user(fields, inner)


def _read_user(
    fields: Mapping[str, msgspec.Raw], place: str
) -> DirectoryEntry | UnreadEntry:
    """Read one user by the API whose field it has."""
    api = next((each for each in _APIS if each.marker in fields), None)
    if api is None:
        return UnreadEntry(place, "not a user of a known directory")
    try:
        user = {name: msgspec.json.decode(raw) for name, raw in fields.items()}
    except DECODE_ERRORS:
        return UnreadEntry(place, "not valid JSON")
    return api.read(user, place)


def _get_text_at_path(user: object, *path: str) -> str:
    """Return the text at a path; empty if there is none."""
    for name in path:
        user = user.get(name) if isinstance(user, dict) else None
    return user.strip() if isinstance(user, str) else ""


def _list_objects(user: _User, name: str) -> list[dict[str, object]]:
    """Return the objects in a list, or a single one as such a list."""
    found = user.get(name)
    items = found if isinstance(found, list) else [found]
    return [each for each in items if isinstance(each, dict)]


def _list_texts(user: _User, name: str) -> list[str]:
    """Return the texts in a list."""
    found = user.get(name)
    items = found if isinstance(found, list) else ()
    return [each for each in items if isinstance(each, str)]


def _drop_empty_texts(*texts: str) -> tuple[str, ...]:
    """Return the texts that are not empty, each once."""
    return tuple(dict.fromkeys(text for text in texts if text))


def _get_boolean(value: object) -> bool | None:
    """Return a JSON boolean; None for any other value."""
    return value if isinstance(value, bool) else None


def _read_scim(user: _User, place: str) -> DirectoryEntry:
    """Read a SCIM user: RFC 7643 sections 4.1 and 4.3."""
    emails = [
        _get_text_at_path(each, "value")
        for each in sorted(
            _list_objects(user, "emails"),
            key=lambda each: each.get("primary") is not True,
        )
        if each.get("primary") is True or each.get("type") == "work"
    ]
    extension = user.get(_ENTERPRISE)
    manager = extension.get("manager") if isinstance(extension, dict) else None
    name = _get_text_at_path(user, "displayName") or _get_text_at_path(
        user, "name", "formatted"
    )
    return DirectoryEntry(
        place=place,
        id=_get_text_at_path(user, "id"),
        addresses=_drop_empty_texts(*emails, _get_text_at_path(user, "userName")),
        name=name,
        present=_get_boolean(user.get("active")),
        managers=_drop_empty_texts(
            _get_text_at_path(manager, "value")
            or _get_text_at_path({"m": manager}, "m")
        ),
    )


def _read_okta(user: _User, place: str) -> DirectoryEntry:
    """Read an Okta user; `secondEmail` is the user's own to change."""
    profile = user.get("profile")
    names = (
        _get_text_at_path(profile, "firstName"),
        _get_text_at_path(profile, "lastName"),
    )
    return DirectoryEntry(
        place=place,
        id=_get_text_at_path(user, "id"),
        addresses=_drop_empty_texts(
            _get_text_at_path(profile, "email"), _get_text_at_path(profile, "login")
        ),
        name=_get_text_at_path(profile, "displayName")
        or " ".join(_drop_empty_texts(*names)),
        present=_OKTA_STATUS.get(_get_text_at_path(user, "status")),
        managers=_drop_empty_texts(_get_text_at_path(profile, "managerId")),
    )


def _read_entra(user: _User, place: str) -> DirectoryEntry:
    """Read a user of Microsoft Graph, with `$expand=manager` and `sponsors`.

    Source: https://learn.microsoft.com/graph/api/resources/user.
    """
    addresses = [
        each.partition(":")[2]
        for each in _list_texts(user, "proxyAddresses")
        if each.lower().startswith("smtp:")
    ]
    return DirectoryEntry(
        place=place,
        id=_get_text_at_path(user, "id"),
        addresses=_drop_empty_texts(
            _get_text_at_path(user, "mail"),
            _get_text_at_path(user, "userPrincipalName"),
            *addresses,
        ),
        name=_get_text_at_path(user, "displayName"),
        present=_get_boolean(user.get("accountEnabled")),
        managers=_read_references(user, "manager"),
        sponsors=_read_references(user, "sponsors"),
    )


def _read_references(user: _User, name: str) -> tuple[str, ...]:
    """Return an address, or the id, of each user that a relationship names."""
    return _drop_empty_texts(
        *(
            _get_text_at_path(each, "mail")
            or _get_text_at_path(each, "userPrincipalName")
            or _get_text_at_path(each, "id")
            for each in _list_objects(user, name)
        )
    )


def _read_google(user: _User, place: str) -> DirectoryEntry:
    """Read a user of the Google Directory API; `emails` is not read.

    Source: https://developers.google.com/workspace/admin/directory/reference/rest/v1/users.
    """
    aliases = [
        each
        for name in ("aliases", "nonEditableAliases")
        for each in _list_texts(user, name)
    ]
    flags = [_get_boolean(user.get(name)) for name in ("suspended", "archived")]
    ended = True in flags
    return DirectoryEntry(
        place=place,
        id=_get_text_at_path(user, "id"),
        addresses=_drop_empty_texts(_get_text_at_path(user, "primaryEmail"), *aliases),
        name=_get_text_at_path(user, "name", "fullName"),
        present=False if ended else None if flags[0] is None else True,
        managers=_drop_empty_texts(
            *(
                _get_text_at_path(each, "value")
                for each in _list_objects(user, "relations")
                if each.get("type") == "manager"
            )
        ),
    )


_APIS = (
    _DirectoryApi("primaryEmail", _read_google),
    _DirectoryApi("userPrincipalName", _read_entra),
    _DirectoryApi("profile", _read_okta),
    _DirectoryApi("userName", _read_scim),
)
