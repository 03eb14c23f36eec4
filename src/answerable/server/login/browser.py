"""Open a browser for the person at this terminal, if there is one."""

import webbrowser
from collections.abc import Mapping


def has_browser(environ: Mapping[str, str], platform: str, *, terminal: bool) -> bool:
    """Return whether a browser would open on the screen of the person at this terminal.

    Args:
        environ: Environment of the process.
        platform: Value of `sys.platform`.
        terminal: The process is interactive.
    """
    if not terminal or "SSH_CONNECTION" in environ:
        return False
    if platform == "darwin":
        return True
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def open_in_browser(url: str) -> bool:
    """Open a URL in the user's browser; return whether a browser accepted it."""
    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False
