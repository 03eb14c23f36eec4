"""Ids by which logs name keys."""

import base64
import json

import pytest

from answerable.services.protection.logged_keys import (
    describe_unlogged_key,
    find_logged_key_id,
    get_log_of_key,
)


def jwt(claims: dict[str, object]) -> str:
    parts = [json.dumps(each).encode() for each in ({"alg": "RS256"}, claims)]
    head, body = (base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts)
    return f"{head}.{body}.c2lnbmF0dXJl"


ACCOUNT = {
    "project_id": "shop",
    "client_email": "bot@shop.iam.gserviceaccount.com",
    "private_key_id": "0123abcd",
}
GCP = "projects/shop/serviceAccounts/bot@shop.iam.gserviceaccount.com/keys/0123abcd"


@pytest.mark.parametrize(
    ("secret", "key", "log"),
    [
        ("AKIAQXWZ7K3PM4TR9VND", "cred:aws/AKIAQXWZ7K3PM4TR9VND", "cloudtrail"),
        (jwt({"jti": "a-1", "kubernetes.io": {}}), "cred:k8s-jti/a-1", "k8s-audit"),
        (json.dumps(ACCOUNT), f"cred:gcp-key/{GCP}", "gcp-audit"),
    ],
)
def test_the_id_of_a_key_follows_from_it(secret: str, key: str, log: str) -> None:
    assert find_logged_key_id(secret) == key
    assert get_log_of_key(key) == log


@pytest.mark.parametrize(
    "secret",
    [jwt({"jti": "a-1"}), "eyJhbGciOiJI.eyJh.x", "{", "[]", "{}", "sk-ant-12345678901"],
)
def test_other_keys_have_no_id(secret: str) -> None:
    assert find_logged_key_id(secret) == ""


def test_a_key_is_described_without_its_value() -> None:
    assert describe_unlogged_key("A", "sk-ant-12345678901") == "A (api-key)"
    assert describe_unlogged_key("A", None) == "A (not readable)"
