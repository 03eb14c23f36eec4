"""Format suggested follow-up commands with shell quoting."""

import re
import shlex

_COMMAND = re.compile(r"\banswerable (?=[a-z])")
# Commands that write take no snapshot name.
_WRITERS = ("attest", "ingest", "scan")


def format_command(*words: str) -> str:
    """Format an `answerable` command with shell quoting."""
    return shlex.join(("answerable", *words))


def add_store_option(command: str, store: str) -> str:
    """Append the named store to a command.

    Args:
        command: A command, may be empty.
        store: `DIR` or `DIR@SNAPSHOT` as typed, empty for the default.
    """
    words = command.split()
    if not store or words[:1] != ["answerable"] or "--store" in words:
        return command
    if words[1:2] and words[1] in _WRITERS:
        store = store.rpartition("@")[0] or store
    return f"{command} --store {shlex.quote(store)}"


def add_store_to_text(text: str, store: str) -> str:
    """Append the named store to every command in a sentence."""
    if not store or "--store" in text:
        return text
    named = f"answerable --store {shlex.quote(store)} "
    return _COMMAND.sub(lambda _: named, text)
