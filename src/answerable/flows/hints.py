"""Commands worth trying next, spelled so that a shell reads the same words."""

import shlex


def command(*words: str) -> str:
    """Spell an `answerable` command; a word that a shell would change is quoted."""
    return shlex.join(("answerable", *words))
