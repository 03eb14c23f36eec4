"""Section `rules`: trust rules and their faults.

`federate` validates the rules; this module adds the positions in the file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from answerable.connectors.config.parse.config_section import Section
from answerable.connectors.config.parse.issuers import DAY
from answerable.federation.trust_rules.faults import RuleFault, Wrong
from answerable.federation.trust_rules.rule_digest import digest
from answerable.federation.trust_rules.validation import Around, check, most_ttl
from answerable.model.errors import IdError
from answerable.model.ids import AgentId, person_id
from answerable.model.trust_rule import (
    USUAL_TTL,
    Bind,
    Granted,
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    Reuse,
    RuleSubject,
    TokenGrant,
    TrustRule,
)

MAX_ID = 2**32 - 2  # the highest user or group id
ROOT = 0
_BROKERED = ("aws_role", "session_policy")
_KINDS = ("issuer", "unix", "launched")


@dataclass(frozen=True, slots=True)
class _Placed:
    """Rule with the sections of its parts, by path inside the rule."""

    rule: TrustRule
    places: Mapping[str, Section]


def read_rules(file: Section, around: Around) -> tuple[TrustRule, ...]:
    """Read the rules and report their faults.

    Args:
        file: Root section.
        around: Context for their validation.
    """
    placed = [_rule(section) for section in file.items("rules")]
    rules = tuple(each.rule for each in placed)
    for fault in check(rules, around):
        _note(fault, placed[fault.position].places)
    return rules


def told(fault: RuleFault) -> str:
    """Format a fault, with its name first."""
    return f"{fault.wrong}: {fault.what}"


def _note(fault: RuleFault, places: Mapping[str, Section]) -> None:
    """Report a fault at the nearest position in the file."""
    holder, _, key = fault.at.rpartition(".")
    if holder not in places:
        holder, _, key = "", "", fault.at.partition(".")[0]
    places[holder].fault(key.partition("[")[0], told(fault))


def _rule(section: Section) -> _Placed:
    places = {"": section}
    grants = []
    for number, grant in enumerate(section.items("grants")):
        places[f"grants[{number}]"] = grant
        grants.append(_grant(grant))
    rule = TrustRule(
        id=section.text("id", None),
        subject=_subject(section),
        agent=AgentId(section.text("agent", None)),
        grants=tuple(grants),
        delegate_to=tuple(map(AgentId, section.texts("delegate_to"))),
        on_behalf_of=section.texts("on_behalf_of"),
        reuse=section.word("reuse", Reuse.ONCE),
    )
    section.close()
    return _Placed(replace(rule, digest=digest(rule)), places)


def _grant(section: Section) -> TokenGrant:
    brokered = False
    for key in _BROKERED:
        if section.has(key):
            section.text(key)
            section.fault(
                key, f"{Wrong.BROKERED}: nothing here gives cloud credentials"
            )
            brokered = True
    bind = section.word("bind", Bind.DPOP)
    gives = section.word("gives", Granted.ACCESS_TOKEN)
    most = most_ttl(bind, gives)
    usual = min(USUAL_TTL, most)
    grant = TokenGrant(
        audience=section.text("audience", "" if brokered else None),
        scopes=section.texts("scopes"),
        # Which bounds hold is for the check; here it is a time at all.
        ttl=section.seconds("ttl", usual, 0, DAY),
        bind=bind,
        gives=gives,
        gateway=section.flag("gateway"),
    )
    section.close()
    return grant


def _subject(rule: Section) -> RuleSubject:
    """Read the subject of a rule: exactly one of three kinds."""
    kinds = [key for key in _KINDS if rule.has(key)]
    issued = IssuedSubject(
        issuer=rule.text("issuer"),
        match=rule.leaves("match"),
        match_glob=tuple(_patterns(rule)),
    )
    root = rule.flag("root")
    peer, launched = _peer(rule, root=root), _launched(rule, root=root)
    if len(kinds) != 1:
        rule.fault("", "one of issuer, unix or launched was expected")
    for key in ("match", "match_glob"):
        if rule.has(key) and "issuer" not in kinds:
            rule.fault(key, "only tokens of an issuer have claims")
    if kinds == ["unix"]:
        return peer
    return launched if kinds == ["launched"] else issued


def _patterns(rule: Section) -> Iterator[tuple[tuple[str, ...], str]]:
    for path, pattern in rule.leaves("match_glob"):
        if isinstance(pattern, str):
            yield path, pattern
        else:
            rule.fault("match_glob", "a text was expected of each pattern")


def _peer(rule: Section, *, root: bool) -> PeerSubject:
    section = rule.section("unix")
    gid = section.number("gid", 0, 0, MAX_ID)
    subject = PeerSubject(
        uid=section.number("uid", 0, 0, MAX_ID),
        gid=gid if section.has("gid") else None,
        unit=section.text("unit"),
        container=section.text("container"),
    )
    section.close()
    if rule.has("unix"):
        _user(section, "uid", subject.uid, root=root)
    return subject


def _launched(rule: Section, *, root: bool) -> LaunchedSubject:
    section = rule.section("launched")
    runs_as = section.number("runs_as", 0, 0, MAX_ID)
    subject = LaunchedSubject(
        started_by=section.number("started_by", 0, 0, MAX_ID),
        person=_person(section),
        runs_as=runs_as if section.has("runs_as") else None,
        program=section.text("program"),
    )
    section.close()
    if rule.has("launched"):
        _user(section, "started_by", subject.started_by, root=root)
        if subject.runs_as is not None:
            _user(section, "runs_as", subject.runs_as, root=root)
    return subject


def _user(section: Section, key: str, uid: int, *, root: bool) -> None:
    """Check that a user is stated, and that root is allowed explicitly."""
    if not section.has(key):
        section.fault("", f"{key} is missing")
    elif uid == ROOT and not root:
        what = f"{Wrong.ROOT}: the superuser can be anybody; say so with root: true"
        section.fault(key, what)


def _person(section: Section) -> str:
    text = section.text("person")
    if not text:
        return ""
    try:
        return person_id(text)
    except IdError:
        section.fault("person", "a mail address or handle was expected")
        return ""
