"""Security test 16: rules that could mean more than they say are refused."""

import json
from dataclasses import replace
from typing import Any

import pytest

from answerable.federation.trust_rules.faults import RuleFaultCode
from answerable.federation.trust_rules.rule_digest import (
    canonical_rule_json,
    rule_digest,
)
from answerable.federation.trust_rules.validation import (
    ValidationContext,
    validate_rules,
)
from answerable.model.config import IssuerConfig
from answerable.model.ids import AgentId
from answerable.model.trust_rule import (
    GrantedTokenKind,
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    RequiredBinding,
    TokenGrant,
    TrustRule,
)
from tests.federation.sample_rules import (
    AGENTS,
    AUDIENCES,
    ISSUERS,
    URL,
    A,
    B,
    pinned,
    rule,
)

AROUND = ValidationContext(URL, ISSUERS)


def github(*match: Any, **more: Any) -> IssuedSubject:
    return IssuedSubject("actions", match, **more)


def known(name: str, iss: str) -> IssuerConfig:
    return pinned(name, iss)


KNOWN = {
    "actions": known("actions", "https://token.actions.githubusercontent.com"),
    "enterprise": known(
        "enterprise", "https://token.actions.githubusercontent.com/octo"
    ),
    "server": known("server", "https://ghe.example/_services/token"),
    "cluster": known("cluster", "https://kubernetes.default.svc"),
    "eks": known("eks", "https://oidc.eks.eu-west-1.amazonaws.com/id/AB"),
    "gitlab": known("gitlab", "https://gitlab.com"),
    "google": known("google", "https://accounts.google.com"),
    "entra": known("entra", "https://login.microsoftonline.com/t/v2.0"),
}
UID = ("kubernetes.io", "serviceaccount", "uid")


@pytest.mark.parametrize(
    ("issuer", "names", "ids"),
    [
        ("actions", [("repository",), ("ref",), ("sub",)], [("repository_id",)]),
        ("enterprise", [("repository_owner",)], [("repository_owner_id",)]),
        ("server", [("job_workflow_ref",)], [("repository_id",)]),
        ("cluster", [("sub",)], [("sub",), UID]),
        ("eks", [("sub",)], [("kubernetes.io", "namespace"), UID]),
        ("gh", [("sub",), ("kubernetes.io", "namespace")], [("sub",), UID]),
        ("gitlab", [("project_path",)], [("project_id",)]),
        ("google", [("email",)], [("sub",)]),
        ("entra", [("sub",)], [("oid",)]),
    ],
)
def test_names_of_known_issuers_need_an_id_that_lasts(
    issuer: str, names: list[Any], ids: list[Any]
) -> None:
    around = ValidationContext(URL, {**ISSUERS, **KNOWN})

    def wrong(paths: list[Any], **more: Any) -> set[RuleFaultCode]:
        equal = tuple((path, "x") for path in paths)
        subject = IssuedSubject(issuer, equal, **more)
        return {fault.wrong for fault in validate_rules((rule("r", subject),), around)}

    assert wrong(names) == {RuleFaultCode.NO_IMMUTABLE_ID}
    assert wrong(ids) == set()
    # A pattern over an id is no id.
    only = ((ids[-1], "4*"),)
    assert RuleFaultCode.NO_IMMUTABLE_ID in wrong([("ref",)], match_glob=only)


GRANT = TokenGrant(AUDIENCES[0], ("r",))
SUBJECT = IssuedSubject("gh", ((("repository_id",), "1"),))
WRONG: list[tuple[str, TrustRule, set[RuleFaultCode]]] = [
    ("id", rule("a b"), {RuleFaultCode.ID}),
    ("empty id", rule(""), {RuleFaultCode.ID}),
    (
        "issuer",
        rule("r", replace(SUBJECT, issuer="nobody")),
        {RuleFaultCode.ISSUER_UNKNOWN},
    ),
    ("ours", rule("r", replace(SUBJECT, issuer="ours")), {RuleFaultCode.ISSUER_OURS}),
    (
        "issuer glob",
        rule("r", replace(SUBJECT, match_glob=((("iss",), "https://*"),))),
        {RuleFaultCode.GLOB_ON_ISSUER},
    ),
    ("no claim", rule("r", replace(SUBJECT, match=())), {RuleFaultCode.EMPTY_MATCH}),
    (
        "aud",
        rule("r", replace(SUBJECT, match=((("aud",), URL), (("exp",), 7)))),
        {RuleFaultCode.EMPTY_MATCH},
    ),
    (
        "twice",
        rule("r", replace(SUBJECT, match_glob=((("repository_id",), "1*"),))),
        {RuleFaultCode.CLAIM_TWICE},
    ),
    (
        "alternation",
        rule("r", replace(SUBJECT, match_glob=((("ref",), "main|^x"),))),
        {RuleFaultCode.PATTERN},
    ),
    *(
        (
            f"letter {letter}",
            rule("r", replace(SUBJECT, match_glob=((("ref",), f"a{letter}b"),))),
            {RuleFaultCode.PATTERN},
        )
        for letter in "^$|()[]{}+?\\"
    ),
    (
        "confusable value",
        rule("r", replace(SUBJECT, match=((("org",), "\u0430cme"),))),
        {RuleFaultCode.NOT_ASCII},
    ),
    (
        "confusable claim",
        rule("r", replace(SUBJECT, match=((("\u043erg",), "acme"),))),
        {RuleFaultCode.NOT_ASCII},
    ),
    (
        "invisible",
        rule("r", replace(SUBJECT, match=((("org",), "ac\u200bme"),))),
        {RuleFaultCode.NOT_ASCII},
    ),
    ("agent", rule("r", agent=AgentId("agent:")), {RuleFaultCode.AGENT}),
    (
        "confusable agent",
        rule("r", agent=AgentId("agent:\u0430")),
        {RuleFaultCode.AGENT},
    ),
    (
        "scope star",
        rule("r", None, replace(GRANT, scopes=("*",))),
        {RuleFaultCode.SCOPE},
    ),
    (
        "scope twice",
        rule("r", None, replace(GRANT, scopes=("r", "r"))),
        {RuleFaultCode.SCOPE},
    ),
    (
        "two",
        rule("r", None, GRANT, replace(GRANT, ttl=60)),
        {RuleFaultCode.GRANT_TWICE},
    ),
    ("short", rule("r", None, replace(GRANT, ttl=59)), {RuleFaultCode.TTL}),
    ("long", rule("r", None, replace(GRANT, ttl=601)), {RuleFaultCode.TTL}),
    (
        "long bearer",
        rule("r", None, replace(GRANT, ttl=301, bind=RequiredBinding.BEARER)),
        {RuleFaultCode.TTL},
    ),
    (
        "us",
        rule("r", None, replace(GRANT, audience=URL + "/")),
        {RuleFaultCode.AUDIENCE_TAKEN},
    ),
    (
        "an issuer",
        rule("r", None, replace(GRANT, audience="HTTPS://login.example:443/")),
        {RuleFaultCode.AUDIENCE_TAKEN},
    ),
    (
        "no audience",
        rule("r", None, replace(GRANT, audience="")),
        {RuleFaultCode.AUDIENCE},
    ),
    ("itself", rule("r", delegate_to=(A,)), {RuleFaultCode.DELEGATE}),
    ("nobody's people", rule("r", on_behalf_of=("gh",)), {RuleFaultCode.ON_BEHALF_OF}),
    ("person", rule("r", LaunchedSubject(1, "ana")), {RuleFaultCode.PERSON}),
]


@pytest.mark.parametrize(
    ("made", "wrong"),
    [pytest.param(made, wrong, id=name) for name, made, wrong in WRONG],
)
def test_what_is_wrong_with_a_rule_has_its_name(
    made: TrustRule, wrong: set[RuleFaultCode]
) -> None:
    faults = validate_rules((made,), AROUND)
    assert {fault.wrong for fault in faults} == wrong
    assert all(fault.what and "\u0430" not in fault.what for fault in faults)


def test_what_is_right_has_no_fault() -> None:
    rules = (
        rule("a", github((("repository_id",), "1"))),
        rule("b", PeerSubject(1000)),
        rule("c", LaunchedSubject(1000)),
        rule(
            "d",
            None,
            TokenGrant("https://login.example", (), 300, gives=GrantedTokenKind.ID_JAG),
        ),
    )
    assert validate_rules(rules, ValidationContext(URL, {**ISSUERS, **KNOWN})) == ()


def test_agents_have_to_be_known_and_owned_by_somebody_who_signed() -> None:
    made = rule("r", delegate_to=(B,))

    def wrong(agents: Any, owned: Any) -> list[tuple[str, RuleFaultCode]]:
        faults = validate_rules((made,), replace(AROUND, agents=agents, owned=owned))
        return [(fault.at, fault.wrong) for fault in faults]

    assert wrong(None, None) == []
    assert wrong(AGENTS, AGENTS) == []
    assert wrong((A,), AGENTS) == [("delegate_to[0]", RuleFaultCode.AGENT_UNKNOWN)]
    assert wrong(AGENTS, (B,)) == [("agent", RuleFaultCode.NO_ATTESTED_OWNER)]


def test_a_thousand_rules_are_checked_in_a_moment() -> None:
    rules = tuple(
        rule(f"r{number}", IssuedSubject("gh", ((("repository_id",), str(number)),)))
        for number in range(300)
    )
    assert validate_rules(rules, AROUND) == ()
    twice = (*rules, rule("again", IssuedSubject("gh", ((("repository_id",), "7"),))))
    (fault,) = validate_rules(twice, AROUND)
    assert (fault.rule, fault.wrong) == ("again", RuleFaultCode.OVERLAP)
    assert "r7" in fault.what


def test_a_digest_names_what_a_rule_means() -> None:
    one = rule(
        "r", IssuedSubject("gh", ((("a",), "1"), (("b",), 1))), delegate_to=(A, B)
    )
    turned = rule(
        "r", IssuedSubject("gh", ((("b",), 1), (("a",), "1"))), delegate_to=(B, A)
    )
    assert rule_digest(one) == rule_digest(turned) == one.digest
    assert rule_digest(replace(one, digest="")) == one.digest
    others = [
        rule("s", one.subject),
        rule("r", IssuedSubject("gh", ((("a",), 1), (("b",), 1)))),
        rule("r", IssuedSubject("gh", ((("a",), "1"), (("b",), True)))),
        rule("r", IssuedSubject("gh", ((("a", "b"), "1"),))),
        rule("r", PeerSubject(1)),
        rule("r", LaunchedSubject(1)),
        rule("r", one.subject, replace(GRANT, ttl=60)),
        rule("r", one.subject, replace(GRANT, bind=RequiredBinding.MTLS)),
    ]
    assert len({each.digest for each in (one, *others)}) == len(others) + 1
    # RFC 8785 3.2: sorted members, no white space.
    written = canonical_rule_json(one)
    assert b'"agent":"agent:declared/a","delegate_to"' in written
    parsed = json.loads(written)
    again = json.dumps(parsed, sort_keys=True, separators=(",", ":")).encode()
    assert again == written
