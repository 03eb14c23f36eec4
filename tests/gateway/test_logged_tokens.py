"""Digests of configured tokens: as the platform logs them, or none."""

import hashlib

import pytest

from answerable.gateway.upstream_credentials.logged_tokens import hash_logged_token


@pytest.mark.parametrize("prefix", ["ghp_", "gho_", "ghs_", "ghu_", "ghr_"])
def test_a_github_token_has_the_digest_of_its_audit_log(prefix: str) -> None:
    token = prefix + "a1B2" * 9
    assert hash_logged_token(token) == hashlib.sha256(token.encode()).hexdigest()


@pytest.mark.parametrize("secret", ["", "hunter2", "ghp_short", "xghp_" + "a" * 36])
def test_a_secret_that_a_person_may_have_chosen_has_none(secret: str) -> None:
    assert hash_logged_token(secret) == ""
