"""docs/benchmarks.md, written by a run and never by hand."""

from collections.abc import Mapping, Sequence

from bench.figures import Figure, markdown

_HOW = """\
## How

- `make bench` measures everything and writes this page; it ends with exit code 1 when a
  goal is missed. `python -m bench --quick` is a smoke run of a minute.
- The trail is generated with the seed above, the same bytes every time: seven days, 200
  users and 800 roles drawn by a zipf law, 50,000 objects likewise, sessions issued by
  AssumeRole records inside the trail, about 1.3 kB a record as CloudTrail writes it, in
  gzip files of 5,000 records, a folder a day. Generating it is not measured.
- An ingest figure is one whole process: `answerable ingest cloudtrail:DIR` into a new
  store, from interpreter start to exit, with every event parsed, journalled durably,
  sealed, logged and signed. Wall time; both cores may be used. Chains are derived by
  the first question that needs them, and that time is part of the first one below.
- Peak memory is the resident memory of that process and its children together, sampled
  every 20 ms, or the kernel's own peak where that is higher.
- "Segment" is the Parquet files, "leaves" the hashes beside them; "whole store" is
  every file, with log, journal, objects and cache. About 80 bytes of an event do not
  compress, whatever the encoding: the digest of its raw record (32), its salt (16), the
  source's own id (20) and its own (12).
- Trace questions are asked in one process, in this order: each once, then five times
  warm.
- Small measurements are repeated in turns; the median is printed, with the lowest and
  highest beside it. Nothing else is run on purpose meanwhile; the load averages
  from before and after say what else there was.
"""


def text(facts: Mapping[str, str], figures: Sequence[Figure]) -> str:
    """Lay out the page."""
    missed = [
        f"- {figure.what}: {figure.cells()[1]}" for figure in figures if figure.missed
    ]
    short = (
        "Goals that this run missed:\n\n" + "\n".join(missed)
        if missed
        else "Every goal was held."
    )
    about = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return (
        "# Benchmarks\n\n"
        "Written by `make bench`; do not edit. Figures are of one machine on one day: "
        "measure on yours before relying on them.\n\n"
        f"| machine | |\n|---|---|\n{about}\n\n"
        f"{short}\n\n{markdown(figures)}\n\n{_HOW}"
    )
