"""The browser of whoever sits at this terminal, if there is one."""

import webbrowser
from collections.abc import Mapping


def has_browser(environ: Mapping[str, str], platform: str, *, terminal: bool) -> bool:
    """Tell whether a browser would open before the eyes of who asks for it.

    Args:
        environ: Of the process.
        platform: As `sys.platform` has it.
        terminal: A person reads what we say.
    """
    if not terminal or "SSH_CONNECTION" in environ:
        return False
    if platform == "darwin":
        return True
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def open_page(url: str) -> bool:
    """Open a page; tell whether somebody took the address."""
    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False
