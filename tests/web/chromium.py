"""Debian's Chromium, and where it is."""

from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
