"""Section `decisions`: the policy decision point for external enforcement points."""

from collections.abc import Collection, Iterator

from answerable.connectors.config.parse.addresses import is_open, is_url, read_path
from answerable.connectors.config.parse.agents import read_unix
from answerable.connectors.config.parse.config_section import Section
from answerable.connectors.config.parse.listeners import listeners_of, read_listeners
from answerable.model.config import IssuerCaller, Listen, UnixCaller
from answerable.model.decision_point import DecisionPoint, EnforcementPoint

USUAL = "127.0.0.1:8473"


def read_decisions(
    file: Section,
    listen: Listen,
    folder: str,
    servers: Collection[str],
    issuers: Collection[str],
) -> DecisionPoint | None:
    """Read the section `decisions`, None if absent."""
    section = file.section("decisions")
    url = section.text("url")
    point = DecisionPoint(
        url=url,
        listen=read_listeners(
            section, "listen", folder, USUAL, insecure=listen.insecure
        ),
        ext_authz=listeners_of(section, "ext_authz", folder, insecure=listen.insecure),
        state=read_path(section, "state", folder),
        audience=section.text("audience"),
        callers=tuple(_points(section, servers, issuers)),
    )
    section.close()
    if not file.has("decisions"):
        return None
    if not point.callers:
        section.fault("", "callers is missing: only callers named there may query")
    if url and (not is_url(url, "http", "https") or url.count("/") != 2):
        section.fault("url", "scheme and authority were expected: https://HOST[:PORT]")
    elif url and is_open(url):
        section.fault("url", "https was expected outside loopback")
    return point


def _points(
    decisions: Section, servers: Collection[str], issuers: Collection[str]
) -> Iterator[EnforcementPoint]:
    taken: set[IssuerCaller | UnixCaller] = set()
    for section in decisions.items("callers"):
        rule = _rule(section, issuers)
        named = section.texts("servers")
        section.check("servers", servers.__contains__, "no such server in servers")
        if rule is not None:
            if rule in taken:
                section.fault("", "another caller here is the same")
            taken.add(rule)
            yield EnforcementPoint(rule, named)
        section.close()


def _rule(
    section: Section, issuers: Collection[str]
) -> IssuerCaller | UnixCaller | None:
    issuer, sub = section.text("issuer"), section.text("sub")
    unix = section.section("unix")
    if section.has("issuer") == section.has("unix"):
        section.fault("", "issuer and sub, or unix, was expected")
        return None
    if section.has("unix"):
        return read_unix(unix)
    if issuer not in issuers:
        section.fault("issuer", "no such issuer in issuers")
    if not sub:
        section.fault("", "sub is missing")
    return IssuerCaller(issuer, sub)
