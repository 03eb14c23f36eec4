"""Build the chat message for a denied call, in Slack's format (`text`, `blocks`).

An agent chooses the names in it, and a chat client renders markup, links and mentions.
So names contain harmless characters only, and any other is escaped. The message has no
arguments, no reasons of the agent, and no secrets.
"""

import msgspec

from answerable.model.approval_request import BlockedCall

_MAX_NAME = 160  # letters of a name
# No `*`, `_` between spaces, `~`, backtick, `<`, `&`, `@` or `#`.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_MARKS = frozenset("./:-_")


def build_approval_message(blocked_call: BlockedCall, owner: str) -> bytes:
    """Build the message that asks an owner to allow a denied call.

    Args:
        blocked_call: Denied call.
        owner: Attested owner, as people know them; empty without one.
    """
    wanted = blocked_call.wanted
    agent, server = escape_for_chat(wanted.agent), escape_for_chat(wanted.server)
    what = escape_for_chat(wanted.name) or wanted.target.value
    # A mail address, which no agent chose; a mention cannot begin within a word.
    who = "@".join(map(escape_for_chat, owner.split("@"))) or "no attested owner"
    said = f"{agent} was denied: {wanted.target.value} {what} at {server}"
    command = f"answerable asks show {blocked_call.decision}"
    facts = (
        ("Agent", agent),
        ("Wants", f"{wanted.target.value} {what}"),
        ("At", server),
        ("Owner", who),
        ("Decision", blocked_call.decision),
        ("To allow or refuse", command),
    )
    fields = [_plain_text_block(f"{name}\n{value}") for name, value in facts]
    head = _plain_text_block("A call of an agent was denied; the owner can allow it")
    document = {
        "text": f"{said}. Owner: {who}. {command}",
        "blocks": [
            {"type": "section", "text": head},
            {"type": "section", "fields": fields},
        ],
    }
    return msgspec.json.encode(document)


def escape_for_chat(name: str) -> str:
    """Escape a name, so that no chat client finds markup, a link or a mention in it."""
    shown = "".join(map(_escape_letter, name[:_MAX_NAME]))
    # A channel makes a link of what looks like an address.
    shown = shown.replace("://", ":\\x2f\\x2f")
    return shown if len(name) <= _MAX_NAME else f"{shown}..."


def _escape_letter(letter: str) -> str:
    """Return a safe character, or its escape sequence."""
    if letter in _PLAIN or letter in _MARKS:
        return letter
    code = ord(letter)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _plain_text_block(text: str) -> dict[str, object]:
    """Build a block of plain text, without markup."""
    return {"type": "plain_text", "text": text, "emoji": False}
