"""Security test 6: no `jwks_uri` leads us into our own network, nor holds us up."""

import asyncio
import gzip
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.federation.jwk_set import MAX_BYTES
from answerable.server.issuers import allowed_addresses, http_fetch
from answerable.server.issuers.allowed_addresses import FetchFailed, is_allowed_address
from answerable.server.issuers.http_fetch import FetchLocation, fetch_document
from tests.server.authentication.https_issuer import (
    Issuer,
    certificate,
    run_with_issuer,
    trusting,
)

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104 - judged, not bound
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "169.254.170.2",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:1:2:3:4:80ff:fffe",
]
OUTSIDE = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"]
NEVER = [
    each
    for each in INSIDE
    if "169.254" in each
    or "a9fe" in each
    or each.startswith(("fe80", "192.0.0", "100.100", "fd00:ec2"))
]


def test_addresses_of_the_inside_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert [
        each for each in INSIDE if is_allowed_address(each, allow_private=False)
    ] == []
    assert all(is_allowed_address(each, allow_private=False) for each in OUTSIDE)
    assert [
        each for each in NEVER if is_allowed_address(each, allow_private=True)
    ] == []
    with capsys.disabled():
        print(f"\n{len(INSIDE)} addresses of the inside: none taken")


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f000001", "2130706433"])
def test_what_is_no_address_is_not_fit(text: str) -> None:
    assert not is_allowed_address(text, allow_private=True)


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_alike(address: object) -> None:
    text = str(address)
    inside = ["::ffff:" + text, "64:ff9b::" + text]
    fit = is_allowed_address(text, allow_private=False)
    assert [is_allowed_address(each, allow_private=False) for each in inside] == [
        fit,
        fit,
    ]


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1", False),
        ("127.0.0.1", True),
        ("[::1]", False),
        ("[::1]", True),
        ("[::ffff:127.0.0.1]", False),
        ("localhost", False),
        ("localhost", True),
    ],
)
def test_loopback_is_reached_only_where_that_is_allowed(
    host: str, private: bool
) -> None:
    place = FetchLocation(f"https://{host}:9/keys", private=private)
    with pytest.raises(FetchFailed) as unfetched:
        asyncio.run(fetch_document(place, MAX_BYTES))
    expected = "no connection" if private else "private network or of this machine"
    assert expected in unfetched.value.message


@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:169.254.169.254]"])
def test_the_metadata_of_a_cloud_is_never_reached(host: str) -> None:
    # The test would fail of itself: no test may open an outside socket.
    place = FetchLocation(f"https://{host}/keys", private=True)
    with pytest.raises(FetchFailed, match="private network"):
        asyncio.run(fetch_document(place, MAX_BYTES))


class Names:
    """A resolver that answers as it is told, each time the next."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, host: str, port: int, **_: object) -> list[object]:
        self.asked += 1
        found = self.answers[min(self.asked, len(self.answers)) - 1]
        return [(socket.AF_INET, 1, 6, "", (each, port)) for each in found]


def fetched(names: Names, place: FetchLocation) -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        loop.getaddrinfo = names  # type: ignore[assignment, method-assign]
        await fetch_document(place, MAX_BYTES)

    asyncio.run(whole())


def test_a_name_that_is_bound_anew_leads_nowhere_else() -> None:
    """Judged at the first look-up, and the connection goes to what was judged."""
    names = Names(["93.184.216.34"], ["127.0.0.1"])
    with pytest.raises(RuntimeError, match=r"reached for '93\.184\.216\.34'"):
        fetched(names, FetchLocation("https://issuer.example/keys"))
    assert names.asked == 1


@pytest.mark.parametrize(
    "answer", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:10.0.0.1"]]
)
def test_one_address_of_the_inside_spoils_a_name(answer: list[str]) -> None:
    names = Names(answer)
    with pytest.raises(FetchFailed, match="private network"):
        fetched(names, FetchLocation("https://issuer.example/keys"))


def test_a_connection_that_went_elsewhere_is_not_used(
    pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_fetch, "resolve_allowed_addresses", _anything)

    async def told(served: Issuer) -> None:
        place = FetchLocation(served.url, trusting(served.pem))
        with pytest.raises(FetchFailed, match="another address"):
            await fetch_document(place, MAX_BYTES)
        assert not served.asked

    run_with_issuer(pem, told)


async def _anything(host: str, port: int, *, allow_private: bool) -> list[str]:
    return ["127.0.0.1"]


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/keys",
        "ftp://issuer.example/keys",
        "https:///keys",
        "https://user@issuer.example/keys",
        "https://issuer.example:99999/keys",
        "https://issuer.example/k\r\nHost: other",
        "https://\u0456ssuer.example/keys",
        "//issuer.example/keys",
        "",
    ],
)
def test_what_is_no_https_url_is_not_asked(url: str) -> None:
    with pytest.raises(FetchFailed, match="not an https URL"):
        asyncio.run(fetch_document(FetchLocation(url, private=True), MAX_BYTES))


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("issuer"))


BOMB = gzip.compress(b" " * (50 << 20))
CHUNKS = b"".join(b"1;" + b"x" * 4000 + b"\r\n \r\n" for _ in range(200))
HELD_UP = {
    "a gzip bomb": (b"200 OK", [b"Content-Encoding: gzip"], BOMB, "content encoding"),
    "deflate": (b"200 OK", [b"Content-Encoding: deflate"], b"{}", "content encoding"),
    "a redirect": (b"302 Found", [b"Location: https://127.0.0.1/"], b"", "status 302"),
    "moved": (b"308 Moved", [b"Location: https://x.example/"], b"", "status 308"),
    "too much": (b"200 OK", [], b" " * (MAX_BYTES + 1), "larger"),
    "endless head": (b"200 OK", [b"X: " + b"x" * 2_000_000], b"", "HTTP|larger"),
    "many fields": (b"200 OK", [b"X: y"] * 200_000, b"", "HTTP|larger"),
    "chunks of air": (
        b"200 OK",
        [b"Transfer-Encoding: chunked"],
        CHUNKS,
        "larger|HTTP",
    ),
    "no HTTP": (b"OK", [b"\x00\x01"], b"", "not HTTP"),
}


@pytest.mark.parametrize("what", HELD_UP)
def test_an_answer_that_is_not_to_be_taken_costs_little(pem: Path, what: str) -> None:
    status, fields, body, why = HELD_UP[what]
    is_chunked = any(b"chunked" in each for each in fields)
    length = [] if is_chunked else [b"Content-Length: %d" % len(body)]
    head = b"\r\n".join([b"HTTP/1.1 " + status, *length, *fields, b"", b""])

    async def told(served: Issuer) -> None:
        served.answer = head + body
        place = FetchLocation(served.url, trusting(served.pem), private=True)
        with pytest.raises(FetchFailed, match=why):
            await fetch_document(place, MAX_BYTES)

    run_with_issuer(pem, told)


def test_a_slow_drip_is_over_in_time(
    pem: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http_fetch, "FETCH_TIMEOUT", 0.3)

    async def told(served: Issuer) -> None:
        served.says(b"{}")
        served.pause = 0.02
        place = FetchLocation(served.url, trusting(served.pem), private=True)
        async with asyncio.timeout(60):
            with pytest.raises(FetchFailed, match=r"within 0\.3 seconds"):
                await fetch_document(place, MAX_BYTES)

    run_with_issuer(pem, told)
    with capsys.disabled():
        print(f"\n{len(HELD_UP) + 1} ways to hold us up: none held")


def test_the_bounds_are_those_of_the_threat_model() -> None:
    assert (http_fetch.FETCH_TIMEOUT, MAX_BYTES) == (5, 256 * 1024)
    assert allowed_addresses.same_origin("https://a.example", "https://A.example:443/x")
