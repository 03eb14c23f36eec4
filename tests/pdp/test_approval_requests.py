"""An owner hears of what an enforcement point was refused, as of a call's refusal."""

import asyncio
import json
from pathlib import Path

from tests.authority import Authority
from tests.gateway.serve.chat_channel import Channel, channel
from tests.pdp.decision_point_harness import (
    ALLOWED,
    CALL,
    DENIED,
    EVALUATION,
    DecisionPointHarness,
    deciding,
    settings,
)


def _heard(point: DecisionPointHarness, taking: Channel, count: int) -> list[str]:
    for _ in range(400):
        if len(taking.seen) >= count:
            break
        point.run(asyncio.sleep(0.02))
    return [json.dumps(message) for _, message in taking.seen]


def test_an_owner_hears_of_an_evaluation_that_they_could_let_pass(
    tmp_path: Path,
) -> None:
    with (
        channel(Authority(tmp_path)) as taking,
        deciding(tmp_path, settings(asks=taking.asks)) as point,
    ):
        point.ask(EVALUATION, ALLOWED)
        nothing = {"type": "tool", "id": "tool:mcp/nowhere/read"}
        point.ask(EVALUATION, ALLOWED | {"resource": nothing})  # nobody's to allow
        action = CALL | {"properties": {"arguments": {"password": "hunter2"}}}
        told = point.ask(EVALUATION, DENIED | {"action": action})
        point.ask(EVALUATION, DENIED | {"action": action})
        (said,) = _heard(point, taking, 1)
        assert told.said["context"]["decision_id"] in said
        assert "agent:declared/ana" in said
        assert "tool:mcp/files/write" in said or "tool write" in said
        assert "hunter2" not in said
        # Another file, and nobody hears of anything any more.
        point.swap(settings())
        point.ask(EVALUATION, DENIED)
        point.run(asyncio.sleep(0.1))
        assert len(taking.seen) == 1


def test_where_nobody_can_be_told_evaluations_go_on(tmp_path: Path) -> None:
    with deciding(tmp_path, settings(asks={"webhook_env": "NO_SUCH"})) as point:
        assert point.evaluate()
        assert not point.evaluate(resource=DENIED["resource"])
