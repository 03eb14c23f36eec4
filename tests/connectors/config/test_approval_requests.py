"""The section `asks`: read whole, and every fault with its place."""

import pytest

from answerable.connectors.config.parse.config_file import parse_config
from answerable.model.approval_request import ApprovalRequestConfig


def read(text: str) -> tuple[ApprovalRequestConfig | None, list[str]]:
    reading = parse_config(text.encode(), "answerable.yaml", "/etc/answerable")
    assert reading.config is not None
    return reading.config.asks, [f"{f.path}: {f.message}" for f in reading.faults]


def test_where_owners_hear_of_asks_is_read_whole() -> None:
    text = "asks: {webhook: 'https://hooks.example/T0/B0', ca: ca.pem, private: true, per_agent: 3}"
    asks, faults = read(text)
    assert faults == []
    assert asks == ApprovalRequestConfig(
        "https://hooks.example/T0/B0", "", "/etc/answerable/ca.pem", True, 3
    )
    assert "T0" not in repr(asks)
    assert read("asks: {webhook_env: HOOK}")[0] == ApprovalRequestConfig("", "HOOK")
    assert read("store: s")[0] is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("asks: {}", "asks: expected either webhook or webhook_env"),
        ("asks: {webhook: 'http://a.example/'}", "asks.webhook: expected an https URL"),
        (
            "asks: {webhook_env: 'https://a.example'}",
            "asks.webhook_env: expected the name of",
        ),
        (
            "asks: {webhook: 'https://a.example/', webhook_env: A}",
            "asks: expected either webhook or webhook_env",
        ),
        (
            "asks: {webhook_env: A, per_agent: 0}",
            "asks.per_agent: expected a number from 1",
        ),
        ("asks: {webhook_env: A, hook: 1}", "asks: unknown key 'hook'"),
    ],
)
def test_a_fault_is_told_with_its_place(text: str, fault: str) -> None:
    found = read(text)[1]
    assert any(each.startswith(fault) for each in found), found
    assert "a.example" not in "".join(found)
