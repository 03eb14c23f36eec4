"""What every foreign client does through the gateway, and what it must see.

A client writes down what it saw under these names. The words are those of the test
server in `tests/mcp/server`; only a denial is the gateway's own.
"""

from typing import Any

ERAS = ("2026-07-28", "2025-11-25")
PERSON = "Ana"
DENIED = -31403
# The tool that asks the person: by a result and a retry, or in the middle of the call.
ASKS = {
    "2026-07-28": ("test_input_required_result_elicitation", {}),
    "2025-11-25": ("test_elicitation", {"message": "Who are you?"}),
}
ANSWER = {"name": PERSON, "username": PERSON, "email": "ana@example.com"}


def seen(era: str, *, denied: bool = True) -> dict[str, Any]:
    """Return what a client must have seen.

    Args:
        era: Revision that it speaks.
        denied: It went through the gateway, which knows `withheld` to be on no list.
    """
    return {
        "era": era,
        "lists withheld": not denied,
        "lists echo": True,
        "call": "grüße",
        "error": [True, "This tool intentionally returns an error for testing"],
        "resource": "This is the content of the static text resource.",
        "templates": ["test://template/{id}/data"],
        "prompt": "Prompt with arguments: arg1='hello', arg2='world'",
        "completion": ["paris", "park", "party"],
        "progress": [0, 50, 100],
        "elicitation": True,
        "cancelled": True,
        "after": "still here",
        "denied": DENIED if denied else None,
    }
