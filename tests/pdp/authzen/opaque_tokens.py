"""A hook of schemathesis: a page token is one of ours, which no generator can guess."""

from typing import Any

import schemathesis


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Leave out a token that is of the right type and of nobody."""
    page = body.get("page") if isinstance(body, dict) else None
    if isinstance(page, dict) and isinstance(page.get("token"), str):
        left = {key: value for key, value in page.items() if key != "token"}
        return body | {"page": left}
    return body
