"""Parse the section `decisions`: access of external policy enforcement points."""

from collections.abc import Collection, Iterator

from answerable.connectors.config.parse.addresses import read_origin, read_path
from answerable.connectors.config.parse.agents import read_unix_caller
from answerable.connectors.config.parse.config_section import ConfigSection
from answerable.connectors.config.parse.listeners import (
    read_listeners,
    read_optional_listeners,
)
from answerable.model.config import ListenConfig, TokenCallerRule, UnixCallerRule
from answerable.model.decision_point_config import (
    DecisionPointConfig,
    EnforcementPointRule,
)

DEFAULT_ADDRESS = "127.0.0.1:8473"


def read_decision_point(
    file: ConfigSection,
    listen: ListenConfig,
    folder: str,
    servers: Collection[str],
    issuers: Collection[str],
) -> DecisionPointConfig | None:
    """Read the section `decisions`, None if absent."""
    section = file.read_section("decisions")
    url = read_origin(section, "url", https_if_remote=True)
    point = DecisionPointConfig(
        url=url,
        listen=read_listeners(
            section, "listen", folder, DEFAULT_ADDRESS, insecure=listen.insecure
        ),
        ext_authz=read_optional_listeners(
            section, "ext_authz", folder, insecure=listen.insecure
        ),
        state=read_path(section, "state", folder),
        audience=section.read_text("audience"),
        callers=tuple(_read_enforcement_points(section, servers, issuers)),
    )
    section.report_unknown_keys()
    if not file.has_key("decisions"):
        return None
    if not point.callers:
        section.report_fault(
            "", "callers is missing: only the callers listed there may query"
        )
    return point


def _read_enforcement_points(
    decisions: ConfigSection, servers: Collection[str], issuers: Collection[str]
) -> Iterator[EnforcementPointRule]:
    """Yield the enforcement points, with the servers each may ask about."""
    taken: set[TokenCallerRule | UnixCallerRule] = set()
    for section in decisions.read_section_list("callers"):
        rule = _read_caller_rule(section, issuers)
        named = section.read_texts("servers")
        section.check_texts(
            "servers", servers.__contains__, "not defined under servers"
        )
        if rule is not None:
            if rule in taken:
                section.report_fault("", "duplicate caller")
            taken.add(rule)
            yield EnforcementPointRule(rule, named)
        section.report_unknown_keys()


def _read_caller_rule(
    section: ConfigSection, issuers: Collection[str]
) -> TokenCallerRule | UnixCallerRule | None:
    """Read the caller of an enforcement point: a token or a unix peer."""
    issuer, sub = section.read_text("issuer"), section.read_text("sub")
    unix = section.read_section("unix")
    if section.has_key("issuer") == section.has_key("unix"):
        section.report_fault("", "expected either issuer and sub, or unix")
        return None
    if section.has_key("unix"):
        return read_unix_caller(unix)
    if issuer not in issuers:
        section.report_fault("issuer", "not defined under issuers")
    if not sub:
        section.report_fault("", "sub is missing")
    return TokenCallerRule(issuer, sub)
