"""What is tried again and again: claims to be changed, and the answer to all of it."""

import secrets
import time

from tests.sts.raw_http_client import RawReply
from tests.sts.running_service import CI, RunningService

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def payload(world: RunningService, **changes: object) -> dict[str, object]:
    now = int(time.time())
    facts: dict[str, object] = {
        "iss": CI,
        "sub": "repo:example",
        "aud": world.url,
        "iat": now - 5,
        "exp": now + 900,
        "jti": secrets.token_hex(8),
        "job": "42",
    }
    return {name: v for name, v in (facts | changes).items() if v is not ...}


def refused(reply: RawReply, *errors: str) -> None:
    assert reply.status in (400, 401), reply
    assert list(reply.json) == ["error"]
    assert reply.json["error"] in (errors or ("invalid_grant",)), reply
