"""Parse and validate the section `rules`: trust rules of the token service.

`federation` validates the rules; this module adds the positions in the file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from answerable.connectors.config.parse.agents import MAX_ID
from answerable.connectors.config.parse.config_section import ConfigSection
from answerable.connectors.config.parse.issuers import DAY
from answerable.federation.trust_rules.faults import RuleFault, RuleFaultCode
from answerable.federation.trust_rules.rule_digest import rule_digest
from answerable.federation.trust_rules.validation import (
    ValidationContext,
    max_grant_ttl,
    validate_rules,
)
from answerable.model.errors import IdError
from answerable.model.ids import AgentId, build_person_id
from answerable.model.trust_rule import (
    DEFAULT_TTL,
    GrantedTokenKind,
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    RequiredBinding,
    RuleSubject,
    TokenGrant,
    TokenReuse,
    TrustRule,
)

ROOT_UID = 0
_BROKERED_KEYS = ("aws_role", "session_policy")
_SUBJECT_KINDS = ("issuer", "unix", "launched")


@dataclass(frozen=True, slots=True)
class _PlacedRule:
    """Rule with the sections of its parts, by path inside the rule."""

    rule: TrustRule
    places: Mapping[str, ConfigSection]


def read_trust_rules(
    file: ConfigSection, context: ValidationContext
) -> tuple[TrustRule, ...]:
    """Read the rules on which subject may exchange its token for an agent.

    Args:
        file: Root section.
        context: Context for their validation.
    """
    placed = [_read_rule(section) for section in file.read_section_list("rules")]
    rules = tuple(each.rule for each in placed)
    for fault in validate_rules(rules, context):
        _report_fault(fault, placed[fault.position].places)
    return rules


def format_rule_fault(fault: RuleFault) -> str:
    """Format a fault, with its name first."""
    return f"{fault.wrong}: {fault.what}"


def _report_fault(fault: RuleFault, places: Mapping[str, ConfigSection]) -> None:
    """Report a fault at the nearest position in the file."""
    holder, _, key = fault.at.rpartition(".")
    if holder not in places:
        holder, _, key = "", "", fault.at.partition(".")[0]
    places[holder].report_fault(key.partition("[")[0], format_rule_fault(fault))


def _read_rule(section: ConfigSection) -> _PlacedRule:
    """Read one trust rule, with its sections for fault positions."""
    places = {"": section}
    grants = []
    for number, grant in enumerate(section.read_section_list("grants")):
        places[f"grants[{number}]"] = grant
        grants.append(_read_grant(grant))
    rule = TrustRule(
        id=section.read_text("id", None),
        subject=_read_subject(section),
        agent=AgentId(section.read_text("agent", None)),
        grants=tuple(grants),
        delegate_to=tuple(map(AgentId, section.read_texts("delegate_to"))),
        on_behalf_of=section.read_texts("on_behalf_of"),
        reuse=section.read_enum("reuse", TokenReuse.ONCE),
    )
    section.report_unknown_keys()
    return _PlacedRule(replace(rule, digest=rule_digest(rule)), places)


def _read_grant(section: ConfigSection) -> TokenGrant:
    """Read one grant of a rule: audience, scopes, lifetime and binding."""
    brokered = False
    for key in _BROKERED_KEYS:
        if section.has_key(key):
            section.read_text(key)
            section.report_fault(
                key, f"{RuleFaultCode.BROKERED}: cloud credentials are not supported"
            )
            brokered = True
    bind = section.read_enum("bind", RequiredBinding.DPOP)
    gives = section.read_enum("gives", GrantedTokenKind.ACCESS_TOKEN)
    most = max_grant_ttl(bind, gives)
    usual = min(DEFAULT_TTL, most)
    grant = TokenGrant(
        audience=section.read_text("audience", "" if brokered else None),
        scopes=section.read_texts("scopes"),
        # Which bounds hold is for the check; here it is a time at all.
        ttl=section.read_seconds("ttl", usual, 0, DAY),
        bind=bind,
        gives=gives,
        gateway=section.read_flag("gateway"),
    )
    section.report_unknown_keys()
    return grant


def _read_subject(rule: ConfigSection) -> RuleSubject:
    """Read the subject of a rule: exactly one of three kinds."""
    kinds = [key for key in _SUBJECT_KINDS if rule.has_key(key)]
    issued = IssuedSubject(
        issuer=rule.read_text("issuer"),
        match=rule.read_nested_values("match"),
        match_glob=tuple(_read_claim_patterns(rule)),
    )
    root = rule.read_flag("root")
    peer, launched = (
        _read_socket_peer_subject(rule, allow_root=root),
        _read_launched_subject(rule, allow_root=root),
    )
    if len(kinds) != 1:
        rule.report_fault("", "expected one of issuer, unix or launched")
    for key in ("match", "match_glob"):
        if rule.has_key(key) and "issuer" not in kinds:
            rule.report_fault(key, "requires issuer: only its tokens have claims")
    if kinds == ["unix"]:
        return peer
    return launched if kinds == ["launched"] else issued


def _read_claim_patterns(rule: ConfigSection) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield glob patterns for token claims, by claim path."""
    for path, pattern in rule.read_nested_values("match_glob"):
        if isinstance(pattern, str):
            yield path, pattern
        else:
            rule.report_fault("match_glob", "expected each pattern to be a string")


def _read_socket_peer_subject(rule: ConfigSection, *, allow_root: bool) -> PeerSubject:
    """Read a subject identified by its unix socket peer credentials."""
    section = rule.read_section("unix")
    gid = section.read_number("gid", 0, 0, MAX_ID)
    subject = PeerSubject(
        uid=section.read_number("uid", 0, 0, MAX_ID),
        gid=gid if section.has_key("gid") else None,
        unit=section.read_text("unit"),
        container=section.read_text("container"),
    )
    section.report_unknown_keys()
    if rule.has_key("unix"):
        _check_user_stated(section, "uid", subject.uid, allow_root=allow_root)
    return subject


def _read_launched_subject(rule: ConfigSection, *, allow_root: bool) -> LaunchedSubject:
    """Read a rule's subject that `answerable run` started: its user and program."""
    section = rule.read_section("launched")
    runs_as = section.read_number("runs_as", 0, 0, MAX_ID)
    subject = LaunchedSubject(
        started_by=section.read_number("started_by", 0, 0, MAX_ID),
        person=_read_person_id(section),
        runs_as=runs_as if section.has_key("runs_as") else None,
        program=section.read_text("program"),
    )
    section.report_unknown_keys()
    if rule.has_key("launched"):
        _check_user_stated(
            section, "started_by", subject.started_by, allow_root=allow_root
        )
        if subject.runs_as is not None:
            _check_user_stated(
                section, "runs_as", subject.runs_as, allow_root=allow_root
            )
    return subject


def _check_user_stated(
    section: ConfigSection, key: str, uid: int, *, allow_root: bool
) -> None:
    """Check that a user is stated, and that root is allowed explicitly."""
    if not section.has_key(key):
        section.report_fault("", f"{key} is missing")
    elif uid == ROOT_UID and not allow_root:
        what = (
            f"{RuleFaultCode.ROOT}: the superuser can act as any user; to allow it, "
            "set root: true"
        )
        section.report_fault(key, what)


def _read_person_id(section: ConfigSection) -> str:
    """Read a person's id, empty if absent or invalid."""
    text = section.read_text("person")
    if not text:
        return ""
    try:
        return build_person_id(text)
    except IdError:
        section.report_fault("person", "expected a mail address or handle")
        return ""
