"""The sections of the token service: read whole, and every fault with its place."""

from pathlib import Path

import pytest

from answerable.federation.trust_rules.faults import RuleFaultCode
from answerable.federation.trust_rules.rule_digest import rule_digest
from answerable.model.config import ListenAddress, TlsTerminator, TokenReviewConfig
from answerable.model.token_claims import TokenType
from answerable.model.trust_rule import (
    GrantedTokenKind,
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    RequiredBinding,
)
from tests.connectors.config.full_config import FEDERATION
from tests.connectors.config.readings import faults, read


def test_the_token_service_is_read_whole() -> None:
    reading = read(FEDERATION)
    assert reading.faults == ()
    config = reading.config
    assert config is not None
    sts = config.sts
    assert sts is not None
    assert (sts.url, sts.state) == ("https://sts.example", "/etc/answerable/sts")
    assert (sts.database, sts.admins) == ("CONTROL", (0, 1000))
    assert (sts.passphrase, sts.passphrase_env) == ("/etc/answerable/keys.pass", "")
    assert sts.terminator == TlsTerminator("client-cert", 33)
    assert sts.listen[0].unix == "/etc/answerable/sts.sock"
    assert sts.listen[1].address == ListenAddress("127.0.0.1", 8472)
    cluster, people, domain = config.issuers
    assert cluster.keys == "discovery"
    assert cluster.pin.token_types == (TokenType.JWT,)
    assert (cluster.pin.max_ttl, cluster.pin.jti_required) == (900, True)
    assert (cluster.private, cluster.ca) == (True, "/etc/answerable/ca.pem")
    token, ca = "/etc/answerable/token", "/etc/answerable/ca.pem"
    assert cluster.review == TokenReviewConfig("https://10.0.0.1", ca, token)
    assert people.pin.token_types == (TokenType.ID_TOKEN, TokenType.ID_JAG)
    assert people.person == "email"
    assert domain.pin.token_types == (TokenType.JWT_SVID,)


def test_the_rules_are_read_whole() -> None:
    config = read(FEDERATION).config
    assert config is not None
    pods, unit, laptop = config.rules
    assert pods.subject == IssuedSubject(
        "cluster",
        (
            (("sub",), "system:serviceaccount:team:bot"),
            (("kubernetes.io", "serviceaccount", "uid"), "5f6c"),
        ),
        ((("kubernetes.io", "pod", "name"), "bot-*"),),
    )
    assert (pods.grants[0].ttl, pods.grants[0].bind) == (300, RequiredBinding.MTLS)
    assert pods.delegate_to == ("agent:declared/reporter",)
    assert pods.on_behalf_of == ("people",)
    assert pods.digest == rule_digest(pods)
    assert len({rule.digest for rule in config.rules}) == 3
    assert unit.subject == PeerSubject(0, 5, "a.service", "c0ffee")
    assert laptop.subject == LaunchedSubject(
        1000, "person:ana@example.com", 1500, "/bin/agent"
    )
    assert laptop.grants[0].gives is GrantedTokenKind.ID_JAG
    assert laptop.grants[0].ttl == 300


POD = "sub: system:serviceaccount:team:bot"
UID = 'kubernetes.io: {serviceaccount: {uid: "5f6c"}}'
RULES = [
    ("id: pods", "id: -pods", "40:9 rules[0].id: id: expected at most"),
    ("id: unit", "id: pods", "rules[1].id: duplicate-id: another"),
    ("issuer: cluster", "issuer: clutser", "rules[0].issuer: issuer-unknown: no"),
    ("issuer: cluster", 'issuer: "*"', "rules[0].issuer: glob-on-issuer: expected one"),
    (UID, "repository: x", "rules[0].match: no-immutable-id: a name of Kubernetes"),
    (f"{POD}\n      {UID}", "iss: x", "rules[0].match: empty-match: expected a claim"),
    ("5f6c", "5f6*", "rules[0].match: pattern-in-match: `*` is a lit"),
    ("5f6c", "5\u04006c", "rules[0].match: not-ascii: expected printable"),
    ('"bot-*"', '"^bot-*$"', "rules[0].match_glob: pattern: `$` is not a wildcard"),
    ('"bot-*"', '"a|b-*"', "rules[0].match_glob: pattern: `|` is not a wildcard"),
    ('"bot-*"', '"bot-**"', "rules[0].match_glob: pattern: `**` is not supported"),
    ('"bot-*"', "7", "rules[0].match_glob: expected each pattern to be a string"),
    ("root: true", "root: false", "rules[1].unix.uid: root: the superuser"),
    ("uid: 0, ", "", "rules[1].unix: uid is missing"),
    ("started_by: 1000, ", "", "rules[2].launched: started_by is missing"),
    (
        "program: /bin/agent",
        "program: agent",
        "rules[2].launched: pattern: expected an abso",
    ),
    (
        "scopes: [read]",
        'scopes: ["*"]',
        "rules[0].grants[0].scopes: scope: expected scope",
    ),
    ("ttl: 5m", "ttl: 11m", "rules[0].grants[0].ttl: ttl: expected 60 to 600"),
    ("ttl: 90", "ttl: 59", "rules[1].grants[0].ttl: ttl: expected 60 to 600"),
    ("ttl: 90", "ttl: 1h30", "rules[1].grants[0].ttl: expected whole seconds"),
    (
        "bind: mtls",
        "bind: bearer, aws_role: x",
        "aws_role: brokered: cloud credentials are",
    ),
    ('"https://mcp.example", ttl', "https://sts.example/, ttl", "audience-taken: this"),
    ('"https://mcp.example", ttl', "https://LOGIN.example, ttl", "audience-taken"),
    (
        '"https://mcp.example", ttl',
        '"https://*.example", ttl',
        "audience: expected one aud",
    ),
    (
        "[agent:declared/reporter]",
        "[reporter]",
        "delegate_to: agent: expected an agent",
    ),
    (
        "[agent:declared/reporter]",
        "[agent:declared/invoices]",
        "delegate: expected an agent",
    ),
    (
        "on_behalf_of: [people]",
        "on_behalf_of: [cluster]",
        "on-behalf-of: expected an issuer",
    ),
    ("unix: {uid: 0,", "issuer: people\n    unix: {uid: 0,", "one of issuer, unix or"),
]


@pytest.mark.parametrize(("old", "new", "fault"), RULES)
def test_a_fault_of_a_rule_has_a_name_and_a_place(
    old: str, new: str, fault: str
) -> None:
    assert FEDERATION.count(old) == 1
    reading = read(FEDERATION.replace(old, new))
    told = faults(FEDERATION.replace(old, new))
    assert any(fault in each for each in told), told
    # The others go on; the token service gives nothing at all.
    assert reading.config is not None
    assert reading.config.rules == ()
    assert reading.rules
    assert (reading.is_valid_except_rules, reading.has_valid_rules) == (True, False)
    assert reading.is_valid_except_policy


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("url: https://sts.example\n  state", "state", "sts: url is missing"),
        ("url: https://sts.example\n  st", "url: http://sts.example\n  st", "sts.url:"),
        (
            "database: CONTROL",
            "database: postgres://x",
            "sts.database: expected the name of",
        ),
        (
            "passphrase: keys.pass",
            "passphrase: a\n  passphrase_env: B",
            "sts.passphrase: expected a file or a variable",
        ),
        (
            "passphrase: keys.pass",
            "passphrase_env: b-c",
            "sts.passphrase_env: expected the name",
        ),
        (
            "admins: [0, 1000]",
            "admins: [ana]",
            "sts.admins: expected a list of numbers",
        ),
        (", uid: 33", "", "sts.terminator: uid is missing"),
        ("    - unix: sts.sock\n", "", "sts.terminator: requires a listener with unix"),
        ("spiffe://example.org", "spiffe://Example.org", "issuers.domain.iss: issuer"),
        ("tokens: [jwt-svid]", "tokens: [jwt]", "issuers.domain.iss: issuer domain: a"),
        (
            "tokens: [jwt]",
            "tokens: [saml]",
            "issuers.cluster.tokens: expected one of access-",
        ),
        (
            "jti: required",
            "jti: needed",
            "issuers.cluster.jti: expected one of optional",
        ),
        (", token: token", "", "issuers.cluster.review: token is missing"),
        (
            "max_ttl: 15m",
            "max_ttl: 2000m",
            "issuers.cluster.max_ttl: expected 1 to 86400",
        ),
        (
            "keys: bundle.json",
            "keys: discovery",
            "issuers.domain.keys: discovery requires an issuer",
        ),
    ],
)
def test_a_fault_elsewhere_stops_the_start(old: str, new: str, fault: str) -> None:
    assert FEDERATION.count(old) == 1
    reading = read(FEDERATION.replace(old, new))
    told = faults(FEDERATION.replace(old, new))
    assert any(fault in each for each in told), told
    assert not reading.is_valid_except_policy


def test_every_named_fault_is_documented() -> None:
    page = Path(__file__).parents[3] / "docs" / "configuration.md"
    rows = page.read_text("utf-8").split("| error | name |")[1].split("\n\n")[0]
    named = {word for line in rows.splitlines() for word in line.split("|")[2:3]}
    documented = {word.strip(" `") for cell in named for word in cell.split(",")}
    assert documented - {"---", ""} == {wrong.value for wrong in RuleFaultCode}


def test_the_example_of_the_documentation_is_right() -> None:
    page = Path(__file__).parents[3] / "docs" / "configuration.md"
    example = page.read_text("utf-8").split("```yaml\n")[2].split("```")[0]
    github = (
        "issuers:\n  github: {iss: 'https://token.actions.githubusercontent.com', "
        "audience: x, keys: discovery, tokens: [jwt]}\n"
    )
    assert faults(github + example) == []
