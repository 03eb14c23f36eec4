"""Client certificates at each request: their validity period, and what cannot be parsed."""

from dataclasses import replace
from pathlib import Path

import pytest

from answerable.model.caller import AuthenticationMethod
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.authentication.errors import Unauthenticated
from answerable.server.client_certificates import parse_certificate
from tests.authority import self_signed
from tests.federation.sample_tokens import NOW
from tests.server.authentication.token_builders import TCP, callers, certified, showing

VERSION_3 = bytes.fromhex("a003020102")
VERSION_6 = bytes.fromhex("a003020105")


def reason(known: CallerAuthenticator, certificate: bytes, now: float) -> str:
    link = replace(TCP, certificate=certificate)
    with pytest.raises(Unauthenticated) as caught:
        known.authenticate(showing(certified(certificate)), link, now)
    return caught.value.reason


def test_a_certificate_counts_within_its_validity_period(tmp_path: Path) -> None:
    """RFC 5280 4.1.2.5, at each request of a connection and for a remembered token."""
    known = callers(tmp_path)
    brief = self_signed("one process", NOW, NOW + 300)
    shown, link = showing(certified(brief)), replace(TCP, certificate=brief)
    assert reason(known, brief, NOW - 1) == "certificate"
    for moment in (NOW, NOW + 300):
        assert (
            known.authenticate(shown, link, moment).shown
            is AuthenticationMethod.MTLS_TOKEN
        )
    assert reason(known, brief, NOW + 301) == "certificate"


def test_a_certificate_that_cannot_be_parsed_does_not_count(tmp_path: Path) -> None:
    """Its dates are unknown, whatever OpenSSL makes of it."""
    good = self_signed("one process", NOW - 3600, NOW + 3600)
    odd = good.replace(VERSION_3, VERSION_6, 1)
    for each in (odd, good[:-1], b"no certificate"):
        with pytest.raises(ValueError, match=r"."):
            parse_certificate(each)
        assert reason(callers(tmp_path), each, NOW) == "certificate"
