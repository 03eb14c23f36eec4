"""Build a minimal environment for child processes: named variables, nothing else.

Servers by command, commands that write credentials and agents of another user get theirs
from here. What else the starter has, cloud keys and the secrets that the configuration
names with `*_env` among it, is not theirs.
"""

import os
from collections.abc import Iterable

ALWAYS_PASSED = ("HOME", "PATH")
# What a program needs at a terminal, as sudo keeps them (sudoers(5), env_keep).
TERMINAL_VARIABLES = (
    "COLORTERM",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_COLLATE",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LC_MONETARY",
    "LC_NUMERIC",
    "LC_TIME",
    "NO_COLOR",
    "TERM",
    "TZ",
)


def build_clean_environment(names: Iterable[str] = ()) -> dict[str, str]:
    """Select the constant and the named variables from our environment.

    Args:
        names: Further variables; one that is not set is left out.
    """
    wanted = (*ALWAYS_PASSED, *names)
    return {name: os.environ[name] for name in wanted if name in os.environ}
