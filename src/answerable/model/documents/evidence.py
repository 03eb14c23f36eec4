"""JSON output about evidence: checkpoints, proofs and checks. See docs/cli.md."""

from typing import TypedDict


class CheckItem(TypedDict):
    """`answerable doctor` and `answerable evidence verify`: one check each."""

    check: str
    ok: bool
    detail: str
    hint: str


class CheckpointItem(TypedDict):
    """`answerable evidence checkpoint`; `note` is the text to export, byte for byte."""

    origin: str
    size: int
    root: str
    key: str
    note: str


class InclusionProofItem(TypedDict):
    """`answerable evidence prove`: a record and its two inclusion proofs."""

    event_id: str
    event: str
    leaf: str
    segment: str
    row: int
    rows: int
    path: list[str]
    event_root: str
    log_index: int
    log_size: int
    log_path: list[str]
    log_root: str
    checkpoint: str


class EvidenceBundleItem(TypedDict):
    """`answerable evidence bundle`; `bundle` is the file's content."""

    events: int
    segments: int
    log_size: int
    key: str
    bundle: str


class ProbeItem(TypedDict):
    """`answerable where`."""

    source: str
    place: str
    what: str
    found: bool | None
