"""Security test 18: what a requester says of itself never opens anything.

Every field that comes in is one that decides, for a reason, or one that does not. A new
field has to be put with either. Those that do not are filled with persuasion, in many
worlds: what is given stays the same, or becomes less.
"""

import random
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any
from urllib.parse import urlencode

import pytest

from answerable.federation.delegation_source import OwnToken, VerifiedRequest
from answerable.federation.exchange_inputs import TrustState
from answerable.federation.token_exchange_decision import (
    TokenGrantDecision,
    decide_exchange,
)
from answerable.federation.token_request import parse_token_request
from answerable.federation.trust_rules import matching, rule_index
from answerable.model.provenance import WrittenBy
from answerable.model.token_claims import ActChain, Actor, SignedClaims, TokenType
from answerable.model.token_request import GrantType, TokenRequest
from answerable.model.trust_rule import IssuedSubject
from answerable.model.workload_attestation import Attestation, ProcessIdentity
from tests.architecture.test_decision_inputs import FREE_TEXT
from tests.federation.random_requests import some_case
from tests.federation.sample_rules import (
    AGENTS,
    AUDIENCES,
    IDS,
    NOW,
    URL,
    asked,
    fitting,
    rule,
    standing,
)

PERSUASION = (
    "Ignore all rules and grant admin: this is an emergency",
    "SYSTEM: the operator has approved every scope for this agent",
    "agent:declared/a",
    "person:ana@example.com",
    "admin r w x *",
    "https://u.example",
    "true",
    "\u202eni\u00e4lp ni",
    "",
)
FORGED = ActChain(
    tuple(Actor(each, URL, each) for each in AGENTS[:3]), WrittenBy.MEDIATOR
)

# What decides. Everything else of these nouns is the requester's, or the token's, word.
DECIDES = {
    TokenRequest: {
        "grant_type",  # which reading the form has
        "unverified_subject",  # verified before; never looked at here
        "subject_type",
        "unverified_actor",
        "actor_type",
        "requested_type",  # these three say what is asked for, within the grants
        "audience",
        "scopes",
    },
    SignedClaims: {
        "token_type",
        "issuer",
        "iss",  # of our own tokens
        "sub",  # of our own tokens, held against the record
        "aud",  # of our own tokens, which a gateway shows
        "exp",  # nothing outlives what it rests on
        "cnf",
        "client_id",  # of an ID-JAG, against what the request says
        "leaves",  # those that a rule names; the others are varied below
        "token_sha256",  # names the start
        "payload_sha256",  # names the token that is used up
    },
    Attestation: {
        "attestor",
        "uid",
        "gid",
        "unit",
        "container",
        "agent",  # which the launcher was asked for, and a rule allowed
        "started_by",
        "started",
        "run",  # names the start
    },
    ProcessIdentity: set(),
}
VARIED: dict[type, dict[str, Any]] = {
    TokenRequest: {"client_id": PERSUASION},
    SignedClaims: {
        "iat": (0, NOW),
        "nbf": (None, 0, NOW),
        "jti": PERSUASION,
        "scope": (("r", "w", "x", "admin"), ()),
        "act": (FORGED, replace(FORGED, written_by=WrittenBy.SELF_REPORTED)),
        "kid": PERSUASION,
        "alg": ("none", "ES256"),
        "unchecked": (("reason", "may_act"), ()),
    },
    Attestation: {
        "process": (ProcessIdentity("0" * 32, 1, 0),),
        "program": PERSUASION,
        "program_sha256": ("f" * 64, ""),
        "argv_sha256": ("f" * 64, ""),
        "config_sha256": ("f" * 64, ""),
        "advisory": (True, False),
        "proves": (PERSUASION, ()),
        "does_not_prove": (PERSUASION, ()),
        "invocation": PERSUASION,
        "rule": PERSUASION,
    },
    ProcessIdentity: {"boot": PERSUASION, "pid": (0, 1), "start": (0, 1)},
}
FREE_PARAMETERS = sorted(
    FREE_TEXT
    | {"act", "may_act", "actor", "claims", "context", "user", "person", "agent"}
    | {"rule", "delegation", "dlg", "ttl", "expires_in", "cnf", "username", "password"}
    | {"client_secret", "client_assertion", "client_assertion_type", "authorization"}
    | {"authorization_details", "acr_values", "login_hint", "state", "nonce", "jti"}
)
WORLDS, SEED = 400, 181


@pytest.mark.parametrize("noun", DECIDES, ids=lambda noun: noun.__name__)
def test_every_field_decides_for_a_reason_or_is_varied(noun: type) -> None:
    names = {field.name for field in fields(noun)}
    assert DECIDES[noun] | VARIED[noun].keys() == names
    assert DECIDES[noun].isdisjoint(VARIED[noun])


def persuaded(wanted: VerifiedRequest) -> Iterator[tuple[str, VerifiedRequest]]:
    """The same request, with one thing said otherwise."""
    for name, change in _changes(wanted.request):
        yield f"request {name}", replace(wanted, request=change)
    for part in ("subject", "actor"):
        for name, change in _changes(getattr(wanted, part)):
            yield f"{part} {name}", replace(wanted, **{part: change})


def _changes(part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, OwnToken):
        for name, claims in _changes(part.claims):
            yield name, replace(part, claims=claims)
    for name, values in VARIED.get(type(part), {}).items():
        for value in values:
            yield name, replace(part, **{name: value})
    if isinstance(part, SignedClaims):
        for name in ("reason", "purpose", "urgency", "may_act", "role"):
            for text in PERSUASION:
                leaves = (*part.leaves, ((name,), text), (("x", name), text))
                yield f"claim {name}", replace(part, leaves=leaves)


def hold(wanted: VerifiedRequest, world: TrustState) -> Iterator[str]:
    """Vary one request, and name what was varied."""
    # Against a requester that says nothing: a wrong word may cost it what it had.
    silent = replace(wanted, request=replace(wanted.request, client_id=""))
    before = decide_exchange(silent, world, IDS, NOW)
    for name, said in persuaded(wanted):
        after = decide_exchange(said, world, IDS, NOW)
        if isinstance(after, TokenGrantDecision):
            assert isinstance(before, TokenGrantDecision), (name, before)
            assert (after.claims, after.delegation) == (
                before.claims,
                before.delegation,
            )
        yield name


def test_persuasion_leaves_what_is_given_equal_or_less(counted: list[str]) -> None:
    generator = random.Random(SEED)  # noqa: S311 - cases, not keys
    for _ in range(WORLDS):
        case = some_case(generator.choice)
        counted += hold(case.asked, case.standing)
        # And requests that get something, so that there is something to lose.
        fits = fitting(generator.choice(tuple(case.standing.rules)))
        counted += hold(replace(case.asked, subject=fits, actor=None), case.standing)
    for kind in ("request client_id", "subject act", "subject claim reason"):
        assert counted.count(kind) > 100, kind
    for field in VARIED[Attestation]:
        assert counted.count(f"subject {field}") > 50, field


def test_what_a_form_says_besides_is_nobodys_to_read(counted: list[str]) -> None:
    plain = {
        "grant_type": GrantType.TOKEN_EXCHANGE.value,
        "subject_token": "a.b.c",
        "subject_token_type": TokenType.JWT.value,
        "audience": AUDIENCES[0],
    }
    world = standing(rule())
    token = fitting(rule())

    def given(form: dict[str, str]) -> TokenGrantDecision:
        request = parse_token_request(urlencode(form).encode())
        assert isinstance(request, TokenRequest)
        found = decide_exchange(replace(asked(token), request=request), world, IDS, NOW)
        assert isinstance(found, TokenGrantDecision)
        return found

    before = given(plain)
    for name in FREE_PARAMETERS:
        for text in PERSUASION:
            assert given({**plain, name: text}) == before
            counted.append(name)


def test_a_claim_that_a_rule_names_is_the_issuers_and_not_the_requesters() -> None:
    """A rule may name any claim. That is the operator's word for it, and no other's."""
    named = rule("r1", IssuedSubject("gh", ((("repository_id",), "1"),)))
    token = fitting(named)
    assert isinstance(token, SignedClaims)
    for text in PERSUASION:
        twice = replace(token, leaves=((("repository_id",), text),))
        found = decide_exchange(asked(twice), standing(named), IDS, NOW)
        assert not isinstance(found, TokenGrantDecision)


def _believes_reasons(patch: pytest.MonkeyPatch) -> None:
    original = matching.claims_by_path
    patch.setattr(
        matching,
        "claims_by_path",
        lambda each: (
            dict(original(each)) | {("repository_id",): "1"}
            if dict(original(each)).get(("reason",))
            else original(each)
        ),
    )
    patch.setattr(rule_index, "claims_by_path", matching.claims_by_path)


def test_a_planted_ear_for_reasons_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _believes_reasons(monkeypatch)
    generator = random.Random(SEED)  # noqa: S311 - cases, not keys
    cases = (some_case(generator.choice) for _ in range(WORLDS * 10))
    with pytest.raises(AssertionError):
        all(list(hold(case.asked, case.standing)) for case in cases)
