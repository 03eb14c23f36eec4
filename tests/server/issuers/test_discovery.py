"""Security test 5: an issuer speaks for itself alone, and sends nobody elsewhere."""

import contextlib
import json
from pathlib import Path

import pytest

from answerable.model.config import IssuerConfig
from answerable.server.issuers.allowed_addresses import FetchFailed
from answerable.server.issuers.discovery import (
    DISCOVERY,
    issuer_metadata_urls,
    parse_jwks_uri,
)
from answerable.server.issuers.key_cache import (
    FETCH_INTERVAL,
    OUTAGE_SECONDS,
    IssuerKeyCache,
)
from tests.federation.sample_tokens import (
    AUD,
    EC,
    NOW,
    OTHER_EC,
    document,
    issuer,
    public,
)
from tests.server.authentication.https_issuer import (
    Issuer,
    certificate,
    run_with_issuer,
    trusting,
)

ISS = "https://issuer.example/tenant"
JWKS = "https://issuer.example/keys"
SET = document(public(EC, kid="k1"))


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("issuer"))


def metadata(**changes: object) -> bytes:
    said = {"issuer": ISS, "jwks_uri": JWKS} | changes
    return json.dumps({k: v for k, v in said.items() if v is not None}).encode()


def test_metadata_is_where_the_standards_say() -> None:
    assert issuer_metadata_urls("https://a.example") == (
        "https://a.example/.well-known/openid-configuration",
        "https://a.example/.well-known/oauth-authorization-server",
    )
    assert issuer_metadata_urls("https://a.example/t/1/") == (
        "https://a.example/t/1/.well-known/openid-configuration",
        "https://a.example/.well-known/oauth-authorization-server/t/1",
    )


@pytest.mark.parametrize(
    "jwks_uri",
    [
        JWKS,
        "https://issuer.example:443/keys",
        "https://ISSUER.example/keys?v=2",
    ],
)
def test_keys_at_the_issuers_own_origin_are_taken(jwks_uri: str) -> None:
    assert parse_jwks_uri(metadata(jwks_uri=jwks_uri), ISS) == jwks_uri


MIXED_UP: list[tuple[str, bytes]] = [
    ("another issuer", metadata(issuer="https://other.example/tenant")),
    ("another tenant", metadata(issuer="https://issuer.example/other")),
    ("a slash more", metadata(issuer=ISS + "/")),
    ("other case", metadata(issuer=ISS.replace("issuer.", "Issuer."))),
    ("a port", metadata(issuer=ISS.replace(".example", ".example:443"))),
    ("no issuer", metadata(issuer=None)),
    ("a list", metadata(issuer=[ISS])),
    ("confusable", metadata(issuer=ISS.replace("i", "\u0456", 1))),
    ("two issuers", b'{"issuer": "https://x.example", ' + metadata()[1:]),
    ("no keys", metadata(jwks_uri=None)),
    ("a number", metadata(jwks_uri=7)),
    ("another host", metadata(jwks_uri="https://keys.example/keys")),
    ("a host below", metadata(jwks_uri="https://keys.issuer.example/keys")),
    ("a longer host", metadata(jwks_uri="https://issuer.example.evil.example/k")),
    ("another port", metadata(jwks_uri="https://issuer.example:8443/keys")),
    ("no TLS", metadata(jwks_uri="http://issuer.example/keys")),
    ("a file", metadata(jwks_uri="file:///etc/passwd")),
    ("userinfo", metadata(jwks_uri="https://issuer.example@evil.example/keys")),
    ("a password", metadata(jwks_uri="https://issuer.example:x@evil.example/keys")),
    ("our own userinfo", metadata(jwks_uri="https://me@issuer.example/keys")),
    ("a backslash", metadata(jwks_uri="https://evil.example\\@issuer.example/keys")),
    ("punycode", metadata(jwks_uri="https://xn--ssuer-q4a.example/keys")),
    ("unicode", metadata(jwks_uri="https://\u0456ssuer.example/keys")),
    ("full width dot", metadata(jwks_uri="https://issuer\uff0eexample/keys")),
    ("a fragment", metadata(jwks_uri="https://issuer.example/keys#x")),
    ("a line", metadata(jwks_uri="https://issuer.example/keys\r\nX: y")),
    ("a space", metadata(jwks_uri="https://issuer.example/ keys")),
    ("escaped host", metadata(jwks_uri="https://issuer%2eexample/keys")),
    ("loopback", metadata(jwks_uri="https://127.0.0.1/keys")),
    ("no JSON", b"<html>"),
    ("a list for all", b"[]"),
    ("not UTF-8", b'{"issuer": "\xff"}'),
]


def test_metadata_that_leads_elsewhere_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    taken = []
    for what, said in MIXED_UP:
        with contextlib.suppress(FetchFailed):
            taken.append((what, parse_jwks_uri(said, ISS)))
    assert taken == []
    with capsys.disabled():
        print(f"\n{len(MIXED_UP)} ways to mix up an issuer: none taken")


def of(served: Issuer, *, private: bool = True, ca: str = "") -> IssuerKeyCache:
    origin = served.url.removesuffix("/jwks.json")
    pinned = IssuerConfig(
        issuer(iss=origin), AUD, DISCOVERY, False, private=private, ca=ca
    )
    return IssuerKeyCache([pinned], None if ca else trusting(served.pem))


def says(served: Issuer, jwks: bytes = SET, **changes: object) -> None:
    """Serve metadata and keys, each at its own place."""
    origin = served.url.removesuffix("/jwks.json")
    said = metadata(**{"issuer": origin, "jwks_uri": served.url} | changes)
    served.pages = {
        "/.well-known/openid-configuration": said,
        "/jwks.json": jwks,
    }


def kids(keys: IssuerKeyCache, now: float = NOW) -> set[str]:
    return {kid for one in keys.issuers(now) for kid in one.keys.keys}


def test_keys_are_found_by_discovery(pem: Path) -> None:
    async def told(served: Issuer) -> None:
        says(served)
        keys = of(served)
        assert await keys.fetch_issuer_keys("corp", NOW) == ""
        assert kids(keys) == {"k1"}
        assert len(served.asked) == 2

    run_with_issuer(pem, told)


def test_an_issuers_own_authority_is_trusted_for_it(pem: Path, tmp_path: Path) -> None:
    async def told(served: Issuer) -> None:
        says(served)
        assert await of(served, ca=str(pem)).fetch_issuer_keys("corp", NOW) == ""
        other = str(certificate(tmp_path))
        assert "certificate" in await of(served, ca=other).fetch_issuer_keys(
            "corp", NOW
        )

    run_with_issuer(pem, told)


def test_keys_that_came_by_a_removed_authority_count_no_more(
    pem: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    own, other = pem.read_bytes(), certificate(folder).read_bytes()
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(own)

    async def told(served: Issuer) -> None:
        says(served)
        origin = served.url.removesuffix("/jwks.json")
        pin = issuer(iss=origin)
        pinned = IssuerConfig(pin, AUD, DISCOVERY, False, private=True, ca=str(bundle))
        keys = IssuerKeyCache([pinned])
        assert await keys.fetch_issuer_keys("corp", NOW) == ""
        for trusted, left in ((own + other, {"k1"}), (other, set())):
            bundle.write_bytes(trusted)
            keys.reconfigure([pinned])
            assert kids(keys) == left
        assert "certificate" in await keys.fetch_issuer_keys("corp", NOW)

    run_with_issuer(pem, told)


def test_the_older_place_is_asked_where_the_first_has_nothing(pem: Path) -> None:
    async def told(served: Issuer) -> None:
        says(served)
        assert served.pages is not None
        moved = served.pages.pop("/.well-known/openid-configuration")
        served.pages["/.well-known/oauth-authorization-server"] = moved
        assert await of(served).fetch_issuer_keys("corp", NOW) == ""
        assert len(served.asked) == 3

    run_with_issuer(pem, told)


def test_an_issuer_cannot_bring_its_keys_to_another(pem: Path) -> None:
    """Each has the same kid; the other's token does not verify with it."""

    async def told(served: Issuer) -> None:
        says(served, issuer="https://victim.example")
        keys = of(served)
        assert (
            await keys.fetch_issuer_keys("corp", NOW)
            == "its metadata belongs to another issuer"
        )
        assert kids(keys) == set()

    run_with_issuer(pem, told)


@pytest.mark.parametrize("at", ["/.well-known/openid-configuration", "/jwks.json"])
def test_no_redirect_is_followed(pem: Path, at: str) -> None:
    async def told(served: Issuer) -> None:
        says(served)
        assert served.pages is not None
        served.pages[at] = (
            b"HTTP/1.1 302 Found\r\nLocation: " + served.url.encode() + b"\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        failed = await of(served).fetch_issuer_keys("corp", NOW)
        assert failed == "the response has status 302 (expected 200)"

    run_with_issuer(pem, told)


def test_through_an_outage_known_keys_serve_for_an_hour_and_then_no_more(
    pem: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def told(served: Issuer) -> None:
        says(served)
        keys = of(served)
        assert await keys.fetch_issuer_keys("corp", NOW) == ""
        served.pages = {}
        # The issuer goes as its keys are to be renewed.
        out, served_for, attempts = NOW + 3600, 0, 0
        for second in range(0, OUTAGE_SECONDS, FETCH_INTERVAL):
            now = out + second
            if keys.can_fetch_keys("corp", now):
                assert await keys.fetch_issuer_keys("corp", now)
                attempts += 1
            assert kids(keys, now) == {"k1"}
            served_for += FETCH_INTERVAL
        assert kids(keys, out + OUTAGE_SECONDS - 1) == {"k1"}
        assert kids(keys, out + OUTAGE_SECONDS) == set()
        says(served, document(public(OTHER_EC, kid="k2")))
        assert (
            await keys.fetch_issuer_keys("corp", out + OUTAGE_SECONDS + FETCH_INTERVAL)
            == ""
        )
        assert kids(keys, out + OUTAGE_SECONDS + FETCH_INTERVAL) == {"k2"}
        with capsys.disabled():
            print(f"\nserved for {served_for} s of an outage, {attempts} attempts")

    run_with_issuer(pem, told)
