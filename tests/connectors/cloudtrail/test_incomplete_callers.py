"""Callers without an ARN: the record names them by account and name, or by unique id."""

import json
from typing import Any

import pytest

from answerable.connectors.cloudtrail.parse.records import parse_record
from answerable.model.event import AuditEvent

ACCOUNT = "111122223333"
CALL = {
    "eventTime": "2026-11-03T10:00:00Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "GetObject",
    "recipientAccountId": ACCOUNT,
}
ROLE_ISSUER = {"type": "Role", "accountId": ACCOUNT, "userName": "deploy"}


@pytest.mark.parametrize(
    ("caller", "identity"),
    [
        # A user has a name only in the trails of its own account.
        ({"type": "IAMUser", "userName": "ana"}, f"arn:aws:iam::{ACCOUNT}:user/ana"),
        (
            {"type": "IAMUser", "accountId": ACCOUNT, "principalId": "AIDAEXAMPLE"},
            f"aws:{ACCOUNT}/AIDAEXAMPLE",
        ),
        (
            {"type": "IAMUser", "accountId": ACCOUNT, "principalId": "AROAEXAMPLE:s"},
            f"aws:{ACCOUNT}/AROAEXAMPLE",
        ),
        ({"type": "IAMUser", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}, ""),
        (
            {"type": "AssumedRole", "sessionContext": {"sessionIssuer": ROLE_ISSUER}},
            f"arn:aws:iam::{ACCOUNT}:role/deploy",
        ),
        ({"type": "AssumedRole", "userName": "deploy"}, ""),
    ],
)
def test_a_caller_without_an_arn_is_named_if_the_record_does(
    caller: dict[str, Any], identity: str
) -> None:
    record = json.dumps(CALL | {"userIdentity": caller}).encode()
    event = parse_record(record, {})
    assert isinstance(event, AuditEvent)
    assert event.identity == identity
