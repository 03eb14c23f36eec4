"""Keys come from a file or over https, within bounds, and the last good set serves."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.server.authentication import authenticator as callers_module
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.authentication.errors import IssuerKeysNeeded, Unauthenticated
from answerable.server.connection_info import ConnectionInfo
from answerable.server.issuers import http_fetch
from answerable.server.issuers.http_fetch import (
    DEFAULT_FRESH,
    MAX_FRESH,
    MIN_FRESH,
    freshness_seconds,
)
from answerable.server.issuers.key_cache import (
    FETCH_INTERVAL,
    OUTAGE_SECONDS,
    IssuerKeyCache,
)
from tests.federation.sample_tokens import (
    EC,
    NOW,
    OTHER_EC,
    claims,
    document,
    header,
    public,
    sign,
)
from tests.server.authentication.https_issuer import Issuer, certificate, trusting
from tests.server.authentication.token_builders import (
    DECLARED,
    SECRET,
    TCP,
    config,
    key_file,
    pinned,
    showing,
)

ONE = document(public(EC, kid="k1"))
TWO = document(public(EC, kid="k1"), public(OTHER_EC, kid="k2"))


class Clock:
    """A clock that stands still until it is set."""

    now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("issuer"))


def bearer(kid: str = "k1", now: float = NOW) -> str:
    said = claims(sub="svc-invoices", iat=int(now) - 60, exp=int(now) + 540)
    return sign(header(kid=kid), said, OTHER_EC if kid == "k2" else EC)


def of(issuer: Issuer, clock: Clock) -> CallerAuthenticator:
    told = config(pinned(issuer.url, bearer=True))
    keys = IssuerKeyCache(told.issuers, trusting(issuer.pem))
    return CallerAuthenticator(told, keys, clock, secret=SECRET)


async def asks(
    callers: CallerAuthenticator, text: str, clock: Clock, link: ConnectionInfo = TCP
) -> str:
    """What a door does; the reason where nobody is known to call."""
    for _ in range(2):
        try:
            return callers.authenticate(showing(text), link, clock.now).agent
        except IssuerKeysNeeded as needed:
            await callers.fetch_keys(needed.issuer)
        except Unauthenticated as unidentified:
            return unidentified.reason
    return "asked in vain"


def story(pem: Path, told: Callable[[Issuer], Awaitable[None]]) -> None:
    async def whole() -> None:
        issuer = Issuer(pem)
        issuer.says(ONE)
        async with issuer.serving():
            await told(issuer)

    asyncio.run(whole())


def test_keys_are_fetched_when_a_token_needs_them(pem: Path) -> None:
    async def told(issuer: Issuer) -> None:
        clock = Clock()
        callers = of(issuer, clock)
        assert await asks(callers, bearer(), clock) == DECLARED
        assert await asks(callers, bearer(), clock) == DECLARED
        assert len(issuer.asked) == 1
        assert issuer.asked[0].startswith(
            b"GET /jwks.json HTTP/1.1\r\nHost: 127.0.0.1:"
        )

    story(pem, told)


def test_many_who_wait_are_one_question(pem: Path) -> None:
    async def told(issuer: Issuer) -> None:
        clock = Clock()
        callers = of(issuer, clock)
        found = await asyncio.gather(
            *(asks(callers, bearer(), clock) for _ in range(50))
        )
        assert (set(found), len(issuer.asked)) == ({DECLARED}, 1)

    story(pem, told)


def test_who_comes_while_keys_are_fetched_waits_for_them(pem: Path) -> None:
    async def told(issuer: Issuer) -> None:
        issuer.pause = 0.001
        clock = Clock()
        callers = of(issuer, clock)
        first = asyncio.create_task(asks(callers, bearer(), clock))
        await issuer.begun.wait()
        assert await asks(callers, bearer(), clock) == DECLARED
        assert (await first, len(issuer.asked)) == (DECLARED, 1)

    story(pem, told)


def test_an_unknown_key_is_asked_for_once_a_minute(pem: Path) -> None:
    async def told(issuer: Issuer) -> None:
        clock = Clock()
        callers = of(issuer, clock)
        for second in range(0, 3 * FETCH_INTERVAL, 10):
            clock.now = NOW + second
            assert await asks(callers, bearer("k2"), clock) == "key-unknown"
            assert await asks(callers, bearer(), clock) == DECLARED
        assert len(issuer.asked) == 3
        issuer.says(TWO)
        clock.now = NOW + 3 * FETCH_INTERVAL
        assert await asks(callers, bearer("k2"), clock) == DECLARED

    story(pem, told)


def test_the_last_good_keys_serve_through_an_outage_of_an_hour(pem: Path) -> None:
    async def told(issuer: Issuer) -> None:
        clock = Clock()
        callers = of(issuer, clock)
        assert await asks(callers, bearer(), clock) == DECLARED
        issuer.says(b"", status="503 Service Unavailable")
        for minutes in (60, 80, 119):
            clock.now = NOW + minutes * 60
            assert await callers.fetch_keys("corp")
            assert await asks(callers, bearer(now=clock.now), clock) == DECLARED
        clock.now = NOW + DEFAULT_FRESH + OUTAGE_SECONDS - 10
        late = bearer(now=clock.now)
        assert await asks(callers, late, clock) == DECLARED
        clock.now = NOW + DEFAULT_FRESH + OUTAGE_SECONDS
        assert await asks(callers, late, clock) == "no-keys"

    story(pem, told)


def test_a_clock_that_was_far_ahead_keeps_no_keys_for_long(pem: Path) -> None:
    async def told(issuer: Issuer) -> None:
        issuer.says(TWO)
        keys = IssuerKeyCache([pinned(issuer.url)], trusting(issuer.pem))
        assert await keys.fetch_issuer_keys("corp", NOW + 400 * 86_400) == ""
        assert keys.can_fetch_keys("corp", NOW)
        assert keys.list_issuers_to_renew(NOW) == ("corp",)
        assert await keys.fetch_issuer_keys("corp", NOW) == ""
        assert keys.keys_usable_until("corp") == NOW + DEFAULT_FRESH + OUTAGE_SECONDS
        assert keys.list_issuers_to_renew(NOW + 1) == ()

    story(pem, told)


def test_a_key_that_its_issuer_took_back_is_forgotten(pem: Path) -> None:
    async def told(issuer: Issuer) -> None:
        clock = Clock()
        issuer.says(TWO)
        callers, text = of(issuer, clock), bearer("k2")
        assert await asks(callers, text, clock) == DECLARED
        issuer.says(ONE)
        clock.now += FETCH_INTERVAL
        assert await callers.fetch_keys("corp") == ""
        assert await asks(callers, text, clock) == "key-unknown"

    story(pem, told)


def test_keys_are_renewed_before_anybody_waits(
    pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers_module, "_RENEWAL_INTERVAL", 0.01)

    async def told(issuer: Issuer) -> None:
        clock, failures = Clock(), list[tuple[str, str]]()
        failed = asyncio.Event()

        def tell(issuer: str, why: str) -> None:
            failures.append((issuer, why))
            failed.set()

        callers = of(issuer, clock)
        async with asyncio.timeout(60):
            task = asyncio.create_task(callers.renew_keys_forever(tell))
            await issuer.heard.wait()
            issuer.says(b"{}")
            clock.now += 3600
            await failed.wait()
        task.cancel()
        assert failures == [("corp", "expected a list of keys")]
        assert await asks(callers, bearer(now=clock.now), clock) == DECLARED

    story(pem, told)


REFUSED: list[tuple[str, dict[str, object], bytes]] = [
    ("a redirect", {"status": "302 Found"}, b""),
    ("too large", {}, b" " * (256 * 1024 + 1)),
    ("encoded", {}, gzip.compress(ONE)),
    ("cut short", {"length": len(ONE) + 1}, ONE),
    ("no key set", {}, b"[]"),
]


@pytest.mark.parametrize(("_", "how", "body"), REFUSED)
def test_what_is_not_to_be_taken_is_not(
    pem: Path, _: str, how: dict[str, str], body: bytes
) -> None:
    async def told(issuer: Issuer) -> None:
        fields = ["Content-Encoding: gzip"] if body[:2] == b"\x1f\x8b" else []
        fields += ["Location: https://127.0.0.1/"]
        issuer.says(body, *fields, **how)  # type: ignore[arg-type]
        clock = Clock()
        assert await asks(of(issuer, clock), bearer(), clock) == "no-keys"
        assert len(issuer.asked) == 1

    story(pem, told)


def test_a_slow_drip_ends_in_time(pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_fetch, "FETCH_TIMEOUT", 0.3)

    async def told(issuer: Issuer) -> None:
        issuer.pause = 0.05
        clock = Clock()
        async with asyncio.timeout(60):
            assert await asks(of(issuer, clock), bearer(), clock) == "no-keys"

    story(pem, told)


def test_a_certificate_of_somebody_else_is_not_taken(tmp_path: Path, pem: Path) -> None:
    async def told(issuer: Issuer) -> None:
        keys = IssuerKeyCache([pinned(issuer.url)], trusting(certificate(tmp_path)))
        assert "certificate" in await keys.fetch_issuer_keys("corp", NOW)
        assert not issuer.asked

    story(pem, told)


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:9", "a" * 64 + ".example"])
def test_nobody_there_is_a_failure_and_no_fault(host: str) -> None:
    keys = IssuerKeyCache([pinned(f"https://{host}/")])
    assert "no connection" in asyncio.run(keys.fetch_issuer_keys("corp", NOW))


def test_an_issuer_that_is_gone_meanwhile_is_not_asked() -> None:
    clock = Clock()
    told = config(pinned("https://127.0.0.1:9/"))
    callers = CallerAuthenticator(
        told, IssuerKeyCache(told.issuers), clock, secret=SECRET
    )
    with pytest.raises(IssuerKeysNeeded) as needed:
        callers.authenticate(showing(bearer()), TCP, NOW)
    callers.reconfigure(config())
    assert asyncio.run(callers.fetch_keys(needed.value.issuer))


def test_a_file_is_read_anew_on_reload(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    told = config(pinned(path, bearer=True))
    clock = Clock()
    callers = CallerAuthenticator(
        told, IssuerKeyCache(told.issuers), clock, secret=SECRET
    )
    assert asyncio.run(asks(callers, bearer("k2"), clock)) == "key-unknown"
    path.write_bytes(TWO)
    callers.reconfigure(told)
    assert asyncio.run(asks(callers, bearer("k2"), clock)) == DECLARED


@pytest.mark.parametrize("text", [b"", b"{}", b" " * 300_000])
def test_a_file_that_does_not_hold_changes_nothing(tmp_path: Path, text: bytes) -> None:
    path = key_file(tmp_path)
    told = config(pinned(path, bearer=True))
    clock = Clock()
    callers = CallerAuthenticator(
        told, IssuerKeyCache(told.issuers), clock, secret=SECRET
    )
    path.write_bytes(text)
    with pytest.raises(UsageError, match="issuer corp"):
        callers.reconfigure(told)
    path.unlink()
    with pytest.raises(EnvironmentFailure):
        callers.reconfigure(told)
    assert asyncio.run(asks(callers, bearer(), clock)) == DECLARED


@given(
    st.lists(
        st.sampled_from(
            ["public", "max-age=60", "MAX-AGE=7200", "max-age=-1", "no-store"]
        )
        | st.integers(0, 10**30).map(lambda age: f"max-age={age}")
        | st.text(max_size=12)
    )
)
def test_any_cache_control_is_fresh_within_bounds(parts: list[str]) -> None:
    assert MIN_FRESH <= freshness_seconds(", ".join(parts)) <= MAX_FRESH


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("", 3600),
        ("max-age=0", MIN_FRESH),
        ("public, Max-Age=1200", 1200),
        ("max-age=" + "9" * 40, MAX_FRESH),
        ("no-cache, max-age=1200", MIN_FRESH),
    ],
)
def test_cache_control_is_followed(said: str, seconds: int) -> None:
    assert freshness_seconds(said) == seconds
