"""Security tests 4, 5 and 8: whose token it is, for whom, and when."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from answerable.federation.claim_parsing import CLOCK_SKEW
from answerable.federation.token_errors import TokenExpired, TokenFault
from answerable.federation.token_verification import (
    IssuerIndex,
    IssuerWithKeys,
    validate_issuer,
)
from answerable.model.errors import UsageError
from answerable.model.token_claims import Confirmation, TokenType
from tests.architecture.parsed_modules import parse_modules
from tests.federation.sample_tokens import (
    AUD,
    GOOD,
    ISS,
    NOW,
    claims,
    header,
    issuer,
    pinned,
    refused,
    sign,
    token,
    verify_sample,
)


def test_everything_the_token_says_is_accounted_for() -> None:
    found = verify_sample(
        token(
            nbf=NOW - 60,
            scope="tools:read tools:deploy",
            cnf={"jkt": "a" * 43},
            act={"sub": "s"},
            repository_id="456",
            x={
                "y": {"z": True},
                "list": [1, "2"],
                "deep": [{}],
                "half": 0.5,
                "no": None,
            },
        )
    )
    assert (found.token_type, found.issuer) == (TokenType.ACCESS_TOKEN, "corp")
    assert (found.iss, found.aud) == (ISS, AUD)
    assert (found.sub, found.client_id, found.jti) == (
        "agent:declared/deploy-bot",
        "deploy-bot",
        "b7f1",
    )
    assert (found.iat, found.nbf, found.exp) == (NOW - 60, NOW - 60, NOW + 540)
    assert found.scope == ("tools:read", "tools:deploy")
    assert found.cnf == Confirmation(jkt="a" * 43)
    assert (found.kid, found.alg) == ("k1", "ES256")
    assert found.unchecked == ("repository_id", "x")
    assert found.find_claim_at_path("repository_id") == "456"
    assert found.find_claim_at_path("x", "y", "z") is True
    assert found.find_claim_at_path("x", "list") == (1, "2")
    unread = (("x", "deep"), ("x", "half"), ("x", "no"), ("x",), ("x", "y", "z", "a"))
    assert [found.find_claim_at_path(*path) for path in unread] == [None] * len(unread)


def test_only_verify_makes_signed_claims(root: Path) -> None:
    made = [
        str(path.relative_to(root / "src"))
        for path, tree in parse_modules(root / "src")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "SignedClaims"
    ]
    assert made == ["answerable/federation/token_verification.py"]


def test_nothing_heavy_is_imported_before_a_key_is_read() -> None:
    script = (
        "import sys, answerable.federation.sender_constraint, answerable.federation.token_verification;"
        "heavy = {'joserfc', 'cryptography'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert (answer.returncode, answer.stderr) == (0, b"")


# 4: audience

AUDIENCES: list[object] = [
    ...,
    None,
    "",
    0,
    True,
    {},
    [],
    [[AUD]],
    [None],
    [AUD, AUD],
    [AUD, "https://other.example"],
    ["https://other.example", AUD],
    "https://other.example",
    AUD + "/",
    AUD + "/mcp",
    AUD[:-1],
    AUD.upper(),
    AUD.replace("https", "http"),
    AUD + ":443",
    AUD + "\u0000",
    AUD + " ",
    f"{AUD} https://other.example",
    f"https://evil.example/{AUD}",
    AUD.replace("corp", "c\u043erp"),  # a Cyrillic letter
]


@pytest.mark.parametrize("aud", AUDIENCES)
def test_a_token_for_anybody_but_us_alone_is_refused(aud: object) -> None:
    reason = TokenFault.CLAIM_MISSING if aud is ... else TokenFault.AUDIENCE
    refused(reason, token(aud=aud))


def test_one_audience_in_a_list_is_one_audience() -> None:
    assert verify_sample(token(aud=[AUD])).aud == AUD


def test_a_door_without_an_audience_takes_nothing() -> None:
    refused(TokenFault.AUDIENCE, token(aud=""), audience="")


def test_a_token_of_ours_for_one_door_is_not_taken_at_another() -> None:
    refused(TokenFault.AUDIENCE, token(), audience="https://sts.corp.example")


# 5: issuers

ISSUED_BY: list[object] = [
    ...,
    None,
    "",
    1,
    [ISS],
    {"iss": ISS},
    ISS + "/",
    ISS + "//",
    ISS + ":443",
    ISS + "?",
    ISS + "#",
    ISS + "/.",
    ISS + "\n",
    " " + ISS,
    ISS.upper(),
    ISS.replace("https", "http"),
    ISS.replace("issuer", "issu%65r"),
    "https://user@issuer.example",
    "https://issuer.example@evil.example",
    "https://issuer.example.evil.example",
    "https://\u0456ssuer.example",  # a Cyrillic letter, and as a name server sees it
    "https://xn--ssuer-pzf.example",
    "https://issuer\u3002example",
]


@pytest.mark.parametrize("iss", ISSUED_BY)
def test_an_issuer_that_is_not_pinned_letter_by_letter_is_refused(iss: object) -> None:
    refused(TokenFault.ISSUER, token(iss=iss))


def test_no_issuer_is_pinned_unless_named() -> None:
    refused(TokenFault.ISSUER, token(), issuers=IssuerIndex())


PINS: list[dict[str, object]] = [
    {"iss": "http://issuer.example"},
    {"iss": "issuer.example"},
    {"iss": "https://"},
    {"iss": "https://user@issuer.example"},
    {"iss": "https://@issuer.example"},
    {"iss": ISS + "?"},
    {"iss": ISS + "#x"},
    {"iss": ISS + " "},
    {"iss": ISS + "\n"},
    {"iss": "https://\u0456ssuer.example"},
    {"iss": "https://[issuer"},
    {"iss": "ftp://localhost"},
    {"algs": ()},
    {"algs": ("HS256",)},
    {"algs": ("ES256", "none")},
    {"token_types": ()},
    {"max_ttl": 0},
]


@pytest.mark.parametrize("pin", PINS)
def test_a_pin_that_could_not_hold_is_refused(pin: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        pinned(**pin)


@pytest.mark.parametrize(
    "iss", ["http://localhost:8470", "http://127.0.0.1:1/x", "http://[::1]:1", ISS]
)
def test_an_issuer_on_this_machine_needs_no_tls(iss: str) -> None:
    validate_issuer(issuer(iss=iss))


@pytest.mark.parametrize("changes", [{"name": "b"}, {"iss": "https://b.example"}])
def test_two_pins_share_neither_name_nor_address(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        IssuerIndex(
            IssuerWithKeys(issuer(), AUD, GOOD),
            IssuerWithKeys(issuer(**changes), AUD, GOOD),
        )


# 8: time

TIMES: list[object] = [None, True, False, "", str(NOW + 540), [NOW], {}, -1, 1 << 60]
TIMES += [253402300800, float(NOW + 540), 0.5]


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", TIMES)
def test_a_time_is_whole_seconds(name: str, value: object) -> None:
    refused(TokenFault.CLAIM_TYPE, token(**{name: value}))


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("text", ["1e308", "1e400", "1E9", "1.0", "-0.0", "18e8"])
def test_a_time_has_no_fraction_and_no_exponent(name: str, text: str) -> None:
    body = json.dumps(claims(**{name: 424242424242})).replace("424242424242", text)
    refused(TokenFault.CLAIM_TYPE, sign(json.dumps(header()).encode(), body.encode()))


def test_time_begins_in_1970() -> None:
    assert verify_sample(token(iat=0, exp=100), now=50).iat == 0


def test_the_end_is_exclusive_and_thirty_seconds_late() -> None:
    end = NOW + 540
    assert verify_sample(token(), now=end + CLOCK_SKEW - 1).exp == end
    error = refused(TokenFault.EXPIRED, token(), now=end + CLOCK_SKEW)
    assert isinstance(error, TokenExpired)


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_the_beginning_is_thirty_seconds_early(name: str) -> None:
    begins = {"iat": NOW, name: NOW + 100}
    assert verify_sample(token(**begins), now=NOW + 100 - CLOCK_SKEW)
    error = refused(TokenFault.NOT_YET, token(**begins), now=NOW + 100 - CLOCK_SKEW - 1)
    assert not isinstance(error, TokenExpired)


def test_a_token_ends_after_it_begins() -> None:
    for changes in ({"iat": NOW, "exp": NOW}, {"nbf": NOW + 10, "exp": NOW + 10}):
        refused(TokenFault.LIFETIME, token(**changes))


def test_a_token_lives_no_longer_than_its_issuer_is_pinned_for() -> None:
    assert verify_sample(token(iat=NOW, exp=NOW + 3600))
    refused(TokenFault.LIFETIME, token(iat=NOW, exp=NOW + 3601))
    refused(TokenFault.LIFETIME, token(exp=253402300799))


def test_an_expired_forgery_is_a_forgery() -> None:
    forged = token(exp=NOW - 900, iat=NOW - 1000)[:-3] + "AAA"
    assert refused(TokenFault.SIGNATURE, forged).reason is not TokenFault.EXPIRED
