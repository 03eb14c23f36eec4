"""Parse the section `web`: the web page and its sign-in."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from answerable.connectors.config.parse.addresses import read_origin, read_path
from answerable.connectors.config.parse.config_section import ConfigSection, LeafValue
from answerable.connectors.config.parse.listeners import read_listeners
from answerable.model.config import IssuerConfig, ListenConfig, Listener
from answerable.model.errors import IdError
from answerable.model.ids import build_person_id
from answerable.model.token_claims import TokenType
from answerable.model.web_config import WebConfig, WebLoginConfig, WebRole

DEFAULT_ADDRESS = "127.0.0.1:8470"

_ROLES_FAULT = f"expected roles from {', '.join(WebRole)}"


def read_web(
    file: ConfigSection,
    listen: ListenConfig,
    folder: str,
    issuers: Iterable[IssuerConfig],
) -> WebConfig | None:
    """Read the section `web`, None if absent."""
    section = file.read_section("web")
    url = read_origin(section, "url", https_if_remote=True)
    listeners = read_listeners(
        section, "listen", folder, DEFAULT_ADDRESS, insecure=listen.insecure
    )
    web = WebConfig(
        url=url,
        listen=tuple(_set_host_from_page_url(each, url) for each in listeners),
        state=read_path(section, "state", folder),
        audience=section.read_text("audience"),
        local=_read_local_person(section.read_section("local")),
        login=_read_login(section, issuers),
    )
    section.report_unknown_keys()
    if not file.has_key("web"):
        return None
    if web.audience and web.login is None:
        section.report_fault("audience", "requires login: tokens come from its issuer")
    if web.login is not None and web.login.client_id == web.audience:
        section.report_fault("audience", "expected a value other than login.client_id")
    return web


def _set_host_from_page_url(listener: Listener, url: str) -> Listener:
    """Set a listener's URL and host name from the page's URL, unless configured."""
    if not url or listener.url or listener.hosts:
        return listener
    return replace(listener, url=url, hosts=(urlsplit(url).netloc.lower(),))


def _read_local_person(section: ConfigSection) -> str:
    """Read the person of a local page without sign-in."""
    person = section.read_text("person")
    section.report_unknown_keys()
    if person:
        try:
            build_person_id(person)
        except IdError as error:
            section.report_fault("person", error.message)
            return ""
    return person


def _read_login(
    web: ConfigSection, issuers: Iterable[IssuerConfig]
) -> WebLoginConfig | None:
    """Read the OpenID Connect sign-in and its role map, None if absent."""
    section = web.read_section("login")
    issuer = section.read_text("issuer")
    roles = section.read_section("roles")
    login = WebLoginConfig(
        issuer=issuer,
        client_id=section.read_text("client_id"),
        secret_env=section.read_variable("client_secret_env"),
        claim=roles.read_text("claim"),
        given=tuple(_read_role_map(roles)),
        default=_parse_roles(section, "default", section.read_texts("default")),
        scopes=section.read_texts("scopes"),
    )
    roles.report_unknown_keys()
    section.report_unknown_keys()
    if not web.has_key("login"):
        return None
    section.require("issuer", "client_id")
    _check_sign_in_issuer(section, issuer, issuers)
    if login.given and not login.claim:
        roles.report_fault("", "claim is missing: name the claim that map uses")
    if not login.given and not login.default:
        section.report_fault("", "no role can be granted: roles or default is missing")
    return login


def _check_sign_in_issuer(
    section: ConfigSection, name: str, issuers: Iterable[IssuerConfig]
) -> None:
    """Check that the sign-in's issuer exists and identifies people."""
    found = next((each for each in issuers if each.pin.name == name), None)
    if not name:
        return
    if found is None:
        section.report_fault("issuer", "not defined under issuers")
    elif not found.person or TokenType.ID_TOKEN not in found.pin.token_types:
        what = (
            "the issuer's ID tokens identify no person: set person and tokens: "
            "[id-token] for the issuer"
        )
        section.report_fault("issuer", what)


def _read_role_map(roles: ConfigSection) -> Iterator[tuple[str, frozenset[WebRole]]]:
    """Yield the roles for each value of the role claim."""
    for path, leaf in roles.read_nested_values("map"):
        if len(path) != 1:
            roles.report_fault(
                "map", "expected values of the claim, each with its roles"
            )
            continue
        yield path[0], _parse_roles(roles, "map", _convert_leaf_to_texts(leaf))


def _convert_leaf_to_texts(leaf: LeafValue) -> tuple[str, ...]:
    """Return a YAML value, or each item of a list, as text."""
    return tuple(map(str, leaf if isinstance(leaf, tuple) else (leaf,)))


def _parse_roles(
    section: ConfigSection, key: str, words: tuple[str, ...]
) -> frozenset[WebRole]:
    """Parse role names; a fault for unknown ones."""
    known = {role.value: role for role in WebRole}
    if not set(words) <= set(known):
        section.report_fault(key, _ROLES_FAULT)
    return frozenset(known[word] for word in words if word in known)
