"""A webhook that may not be reached is given up, and its address stays unsaid."""

import asyncio
import json
import os

import pytest

from answerable.model.approval_request import ApprovalRequestConfig, BlockedCall
from answerable.model.errors import EnvironmentFailure
from answerable.server.approval_notifications.webhook import MAX_QUEUED, ApprovalWebhook
from tests.server.approval_notifications.test_chat_message import wanted

SECRET = "SECRETPART"


def told(asks: ApprovalRequestConfig, count: int = 1) -> tuple[dict[str, int], str]:
    """Tell of some acts, each by another agent; what was counted, and the log."""

    async def run(handle: int) -> dict[str, int]:
        def untold(*said: str) -> None:
            os.write(handle, json.dumps(said).encode())

        webhook = ApprovalWebhook(asks, lambda _: "", untold, {}, pauses=())
        for number in range(count):
            act = wanted(agent=f"agent:declared/a{number}")
            webhook.enqueue(BlockedCall("c0" * 16, act), 0.0)
        serving = asyncio.create_task(webhook.deliver_forever())
        async with asyncio.timeout(60):
            while sum(webhook.counted.values()) < count:  # noqa: ASYNC110 - a count
                await asyncio.sleep(0.01)
        serving.cancel()
        return dict(webhook.counted)

    reads, writes = os.pipe()
    with os.fdopen(reads) as log:
        counted = asyncio.run(run(writes))
        os.close(writes)
        return counted, log.read()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "localhost"],
)
def test_it_is_not_looked_for_in_our_own_net(host: str) -> None:
    counted, log = told(ApprovalRequestConfig(f"https://{host}:9/{SECRET}"))
    assert counted == {"dropped": 1}
    at, decision, why = json.loads(log)
    assert at == host.strip("[]")
    assert decision == "c0" * 16
    assert "private" in why or "address" in why
    assert SECRET not in log


def test_metadata_services_are_out_of_reach_whatever_the_file_says() -> None:
    asks = ApprovalRequestConfig(f"https://169.254.169.254/{SECRET}", private=True)
    assert told(asks)[0] == {"dropped": 1}


def test_what_waits_is_bounded() -> None:
    counted, _ = told(ApprovalRequestConfig("https://127.0.0.1:9/x"), MAX_QUEUED + 5)
    assert counted == {"dropped": MAX_QUEUED + 5}


@pytest.mark.parametrize(
    "asks",
    [
        ApprovalRequestConfig("", "NOT_SET"),
        ApprovalRequestConfig("https://a@b.example/"),
        ApprovalRequestConfig("https://b/#x"),
    ],
)
def test_what_is_no_address_is_refused_unsaid(asks: ApprovalRequestConfig) -> None:
    with pytest.raises(EnvironmentFailure) as error:
        ApprovalWebhook(asks, lambda _: "", lambda *_: None, {})
    assert "b.example" not in error.value.message
