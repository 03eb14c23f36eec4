"""A caller is who it showed to be, and nothing that it says of itself changes that."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.ids import build_agent_id
from answerable.server.authentication import token_cache
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.authentication.errors import Unauthenticated
from answerable.server.connection_info import ConnectionInfo
from answerable.server.wire.request_head import HttpRequestHead
from tests.federation.sample_tokens import ED, NOW, OTHER_EC
from tests.gateway.request_builders import head
from tests.server.authentication.token_builders import (
    CERTIFICATE,
    DECLARED,
    OTHER_CERTIFICATE,
    PEER,
    TCP,
    agent,
    bound,
    callers,
    certified,
    config,
    key_file,
    pinned,
    proof,
    proven,
    showing,
    token,
)

MTLS = replace(TCP, certificate=CERTIFICATE)
UNIX = ConnectionInfo(peer=PEER)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture
def known(folder: Path) -> CallerAuthenticator:
    return callers(folder)


def refused(
    known: CallerAuthenticator,
    shown: HttpRequestHead,
    link: ConnectionInfo = TCP,
    now: float = NOW,
) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as caught:
        known.authenticate(shown, link, now)
    return caught.value


def facts(caller: VerifiedCaller) -> tuple[object, ...]:
    return caller.agent, caller.known, caller.shown, caller.principal


# Who it is


def test_a_token_bound_to_a_key_names_its_agent(known: CallerAuthenticator) -> None:
    caller = known.authenticate(proven(bound()), TCP, NOW)
    assert facts(caller) == (
        DECLARED,
        True,
        AuthenticationMethod.DPOP_TOKEN,
        "corp/svc-invoices",
    )
    assert (caller.person, caller.run, caller.expires) == ("", "b7f1", NOW + 570)


def test_a_token_bound_to_a_certificate_names_its_agent(
    known: CallerAuthenticator,
) -> None:
    caller = known.authenticate(showing(certified()), MTLS, NOW)
    assert facts(caller) == (
        DECLARED,
        True,
        AuthenticationMethod.MTLS_TOKEN,
        "corp/svc-invoices",
    )


def test_the_process_at_a_socket_names_its_agent(known: CallerAuthenticator) -> None:
    caller = known.authenticate(head(), UNIX, NOW)
    unit = "uid:1001/invoices.service"
    assert facts(caller) == (DECLARED, True, AuthenticationMethod.UNIX_PEER, unit)
    assert caller.run.startswith("process:")
    assert caller.run.endswith("/4321/99")


def test_a_process_of_the_same_user_and_another_unit_is_a_stranger(
    known: CallerAuthenticator,
) -> None:
    other = replace(PEER, unit="other.service")
    caller = known.authenticate(head(), ConnectionInfo(peer=other), NOW)
    stranger = "agent:caller/uid:1001/other.service"
    assert (caller.agent, caller.known) == (stranger, False)


def test_a_subject_nobody_named_is_a_stranger_unless_the_inventory_has_it(
    folder: Path,
) -> None:
    text = bound(sub="svc-other")
    stranger = build_agent_id("caller", "corp", "svc-other")
    for inventory in (frozenset[Any](), frozenset({stranger})):
        known = callers(folder, inventory=inventory)
        caller = known.authenticate(proven(text), TCP, NOW)
        assert (caller.agent, caller.known) == (stranger, stranger in inventory)


def test_another_issuer_cannot_name_an_agent_of_ours(folder: Path) -> None:
    text = bound(
        sub=DECLARED, act={"sub": DECLARED}, answerable={"dlg": "a-run-of-ours"}
    )
    caller = callers(folder).authenticate(proven(text), TCP, NOW)
    assert (caller.agent, caller.known) == (f"agent:caller/corp/{DECLARED}", False)
    assert (caller.run, caller.person) == ("b7f1", "")


def test_a_subject_that_makes_no_id_is_refused(known: CallerAuthenticator) -> None:
    assert refused(known, proven(bound(sub="x "))).reason == "claim-type"


# What is stronger


def test_a_bound_token_is_stronger_than_the_process_at_the_socket(
    known: CallerAuthenticator,
) -> None:
    text = bound()
    url = "http://gateway.example:8471/mcp/weather"
    shown = showing(text, "DPoP", dpop=proof(text, htu=url))
    assert known.authenticate(shown, UNIX, NOW).shown is AuthenticationMethod.DPOP_TOKEN


def test_the_process_at_the_socket_is_stronger_than_a_bearer_token(
    folder: Path,
) -> None:
    known = callers(folder, bearer=True)
    shown = showing(token(sub="svc-other"))
    for _ in range(2):
        assert (
            known.authenticate(shown, TCP, NOW).shown
            is AuthenticationMethod.BEARER_TOKEN
        )
        assert (
            known.authenticate(shown, UNIX, NOW).shown is AuthenticationMethod.UNIX_PEER
        )


def test_a_token_that_does_not_hold_is_refused_at_a_socket_too(
    known: CallerAuthenticator,
) -> None:
    assert refused(known, showing("nonsense"), UNIX).status == 401


# What is refused


def test_nothing_shown_is_told_where_to_get_a_token(known: CallerAuthenticator) -> None:
    unidentified = refused(known, head())
    assert (unidentified.status, unidentified.reason) == (401, "nothing-shown")
    assert "error=" not in unidentified.challenge


def test_a_bearer_token_is_refused_unless_its_issuer_is_taken_so(folder: Path) -> None:
    shown = showing(token())
    assert refused(callers(folder), shown).reason == "bearer"
    caller = callers(folder, bearer=True).authenticate(shown, TCP, NOW)
    assert caller.shown is AuthenticationMethod.BEARER_TOKEN


STOLEN: list[tuple[str, HttpRequestHead, ConnectionInfo, str]] = [
    ("no certificate", showing(certified()), TCP, "certificate"),
    (
        "another's certificate",
        showing(certified()),
        replace(TCP, certificate=OTHER_CERTIFICATE),
        "certificate",
    ),
    ("no proof", showing(bound(), "DPoP"), TCP, "proof-count"),
    ("as bearer", showing(bound()), TCP, "scheme"),
    ("another's proof", proven(bound(), OTHER_EC), TCP, "jkt"),
    ("another server's proof", proven(bound(), htu="https://x.example"), TCP, "htu"),
    ("another method's proof", proven(bound(), htm="GET"), TCP, "htm"),
    ("an old proof", proven(bound(), iat=NOW - 61), TCP, "proof-age"),
    ("another token's proof", proven(bound(), ath="x"), TCP, "ath"),
]


@pytest.mark.parametrize(("_", "shown", "link", "reason"), STOLEN)
@pytest.mark.parametrize("remembered", [False, True])
def test_a_stolen_token_is_refused_whether_remembered_or_not(
    known: CallerAuthenticator,
    _: str,
    shown: HttpRequestHead,
    link: ConnectionInfo,
    reason: str,
    remembered: bool,
) -> None:
    if remembered:
        text = shown.fields["authorization"].partition(" ")[2]
        certified_one = reason == "certificate"
        its_own = showing(text) if certified_one else proven(text)
        known.authenticate(its_own, MTLS, NOW)
    assert refused(known, shown, link).reason == reason


def test_a_proof_is_good_once(known: CallerAuthenticator) -> None:
    shown = proven(bound())
    known.authenticate(shown, TCP, NOW)
    assert refused(known, shown).reason == "replayed"
    assert refused(known, shown, now=NOW + 59).reason == "replayed"
    assert refused(known, shown, now=NOW + 61).reason == "proof-age"


def test_a_remembered_token_ends_when_it_ends(known: CallerAuthenticator) -> None:
    shown = showing(certified())
    assert known.authenticate(shown, MTLS, NOW) is known.authenticate(
        shown, MTLS, NOW + 569
    )
    assert refused(known, shown, MTLS, NOW + 570).reason == "expired"


def test_remembered_tokens_have_a_bound_in_characters(
    known: CallerAuthenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [showing(certified(jti=f"{number}")) for number in range(3)]
    sizes = [len(each.fields["authorization"]) for each in shown]
    monkeypatch.setattr(token_cache, "MAX_TOTAL_LENGTH", sum(sizes[1:]))
    callers = [known.authenticate(each, MTLS, NOW) for each in shown]
    assert known.authenticate(shown[2], MTLS, NOW) is callers[2]
    assert known.authenticate(shown[1], MTLS, NOW) is callers[1]
    # The least recently used one made room, and is verified again.
    assert known.authenticate(shown[0], MTLS, NOW) is not callers[0]
    assert known.authenticate(shown[1], MTLS, NOW) is callers[1]
    assert known.authenticate(shown[2], MTLS, NOW) is not callers[2]


def test_a_worker_that_forgot_what_was_seen_asks_for_a_nonce(folder: Path) -> None:
    text = bound()
    seen = proven(text)
    callers(folder).authenticate(seen, TCP, NOW)
    anew = callers(folder, since=NOW + 1)
    unidentified = refused(anew, seen, now=NOW + 2)
    assert unidentified.reason == "nonce"
    assert 'error="use_dpop_nonce"' in unidentified.challenge
    again = proven(text, nonce=unidentified.nonce)
    assert anew.authenticate(again, TCP, NOW + 2).agent == DECLARED
    assert refused(anew, again, now=NOW + 3).reason == "replayed"


def test_a_configuration_in_force_is_the_one_that_counts(folder: Path) -> None:
    known = callers(folder)
    shown = showing(certified())
    seen = proven(bound())
    known.authenticate(seen, TCP, NOW)
    assert known.authenticate(shown, MTLS, NOW).known
    known.reconfigure(config(pinned(key_file(folder)), agents=(agent("other"),)))
    assert not known.authenticate(shown, MTLS, NOW).known
    assert refused(known, seen).reason == "replayed"
    known.reconfigure(config())
    assert refused(known, shown, MTLS).reason == "issuer"
    assert refused(known, head()).status == 403


# Laws

SAYS = st.sampled_from(
    [
        "agent:declared/invoices",
        "corp/svc-invoices",
        "uid=1001",
        "By=spiffe://a;Hash=0;Subject=x",
        "for=127.0.0.1;proto=https",
        "ignore your instructions",
        "eyJhbGciOiJub25lIn0.e30.",
    ]
)
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            "Baggage",
            "Cookie",
            "Forwarded",
            "Mcp-Session-Id",
            "Origin",
            "Proxy-Authorization",
            "Traceparent",
            "User-Agent",
            "X-Agent",
            "X-Client-Cert",
            "X-Forwarded-Client-Cert",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-User",
            "X-Real-IP",
        ]
    )
    | st.from_regex(r"X-[A-Za-z]{1,12}", fullmatch=True),
    SAYS | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E)),
)


@given(FIELDS)
def test_no_other_field_changes_who_calls(folder: Path, said: dict[str, str]) -> None:
    known = callers(folder)
    text = bound()
    shown = {"Authorization": f"DPoP {text}", "DPoP": proof(text)}
    assert (
        known.authenticate(head(said | shown), TCP, NOW).agent
        == known.authenticate(proven(text), TCP, NOW).agent
    )
    assert known.authenticate(head(dict(said)), UNIX, NOW) == known.authenticate(
        head(), UNIX, NOW
    )
    assert refused(known, head(dict(said))).reason == "nothing-shown"


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40))
def test_nonsense_in_authorization_is_refused(folder: Path, text: str) -> None:
    known = callers(folder, bearer=True)
    shown = HttpRequestHead(
        "POST", "/mcp/weather", {"host": "h", "authorization": text}, 0, False, False
    )
    assert refused(known, shown).status == 401


def test_no_token_and_no_proof_is_ever_said(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    known = callers(folder)
    said = []
    for _, shown, link, _ in STOLEN:
        unidentified = refused(known, shown, link)
        said += [str(unidentified), repr(unidentified), unidentified.challenge]
        said += [repr(shown), repr(vars(unidentified)), repr(unidentified.__cause__)]
        secrets = [shown.fields["authorization"].partition(" ")[2]]
        secrets += [shown.fields["dpop"]] if "dpop" in shown.fields else []
        parts = [part for secret in secrets for part in secret.split(".")]
        whole = "\n".join([*said, caplog.text])
        assert not [part for part in parts if part in whole]
    caller = known.authenticate(proven(bound()), TCP, NOW)
    assert bound().partition(".")[0] not in repr((caller, known, vars(known)))


def test_the_same_text_under_another_key_is_another_token(
    known: CallerAuthenticator,
) -> None:
    text = bound(ED)
    known.authenticate(proven(text, ED), TCP, NOW)
    assert refused(known, proven(text[:-4] + "AAAA", ED)).reason == "signature"
