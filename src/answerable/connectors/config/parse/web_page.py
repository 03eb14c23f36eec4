"""Section `web`: the web page and its sign-in."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from answerable.connectors.config.parse.addresses import is_open, is_url, read_path
from answerable.connectors.config.parse.config_section import Leaf, Section
from answerable.connectors.config.parse.listeners import read_listeners
from answerable.model.claims import TokenType
from answerable.model.config import Listen, Listener, PinnedIssuer
from answerable.model.errors import IdError
from answerable.model.ids import person_id
from answerable.model.web_config import Login, Role, Web

USUAL = "127.0.0.1:8470"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_ROLES = f"roles are {', '.join(Role)}"


def read_web(
    file: Section, listen: Listen, folder: str, issuers: Iterable[PinnedIssuer]
) -> Web | None:
    """Read the section `web`, None if absent."""
    section = file.section("web")
    url = section.text("url")
    listeners = read_listeners(
        section, "listen", folder, USUAL, insecure=listen.insecure
    )
    web = Web(
        url=url,
        listen=tuple(_known_by(each, url) for each in listeners),
        state=read_path(section, "state", folder),
        audience=section.text("audience"),
        local=_local(section.section("local")),
        login=_login(section, issuers),
    )
    section.close()
    if not file.has("web"):
        return None
    if url and (not is_url(url, "http", "https") or url.count("/") != 2):
        section.fault("url", "scheme and authority were expected: https://HOST[:PORT]")
    elif url and is_open(url):
        section.fault("url", "https was expected outside loopback")
    if web.audience and web.login is None:
        section.fault("audience", "tokens are the login's issuer's; login is missing")
    if web.login is not None and web.login.client_id == web.audience:
        section.fault("audience", "another than login.client_id was expected")
    return web


def _known_by(listener: Listener, url: str) -> Listener:
    """Set a listener's host to the page's URL, unless configured."""
    if not url or listener.url or listener.hosts:
        return listener
    return replace(listener, url=url, hosts=(urlsplit(url).netloc.lower(),))


def _local(section: Section) -> str:
    person = section.text("person")
    section.close()
    if person:
        try:
            person_id(person)
        except IdError as error:
            section.fault("person", error.message)
            return ""
    return person


def _login(web: Section, issuers: Iterable[PinnedIssuer]) -> Login | None:
    section = web.section("login")
    issuer = section.text("issuer")
    roles = section.section("roles")
    login = Login(
        issuer=issuer,
        client_id=section.text("client_id"),
        secret_env=section.text("client_secret_env"),
        claim=roles.text("claim"),
        given=tuple(_given(roles)),
        default=_named(section, "default", section.texts("default")),
        scopes=section.texts("scopes"),
    )
    roles.close()
    section.close()
    if not web.has("login"):
        return None
    for key in ("issuer", "client_id"):
        if not section.has(key):
            section.fault("", f"{key} is missing")
    _check_issuer(section, issuer, issuers)
    if login.secret_env and not _VARIABLE.fullmatch(login.secret_env):
        what = "the name of an environment variable was expected, and no value"
        section.fault("client_secret_env", what)
    if login.given and not login.claim:
        roles.fault("", "claim is missing: which one says who is what")
    if not login.given and not login.default:
        section.fault("", "no person has a role: roles or default is missing")
    return login


def _check_issuer(section: Section, name: str, issuers: Iterable[PinnedIssuer]) -> None:
    found = next((each for each in issuers if each.pin.name == name), None)
    if not name:
        return
    if found is None:
        section.fault("issuer", "no such issuer in issuers")
    elif not found.person or TokenType.ID_TOKEN not in found.pin.token_types:
        what = "its ID tokens identify no person: give it person and tokens: [id-token]"
        section.fault("issuer", what)


def _given(roles: Section) -> Iterator[tuple[str, frozenset[Role]]]:
    for path, leaf in roles.leaves("map"):
        if len(path) != 1:
            roles.fault("map", "a value of the claim and its roles were expected")
            continue
        yield path[0], _named(roles, "map", _texts(leaf))


def _texts(leaf: Leaf) -> tuple[str, ...]:
    return tuple(map(str, leaf if isinstance(leaf, tuple) else (leaf,)))


def _named(section: Section, key: str, words: tuple[str, ...]) -> frozenset[Role]:
    known = {role.value: role for role in Role}
    if not set(words) <= set(known):
        section.fault(key, _ROLES)
    return frozenset(known[word] for word in words if word in known)
