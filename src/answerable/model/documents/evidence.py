"""JSON output about evidence: checkpoints, proofs and checks. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class CheckItem(TypedDict):
    """`answerable doctor` and `answerable evidence verify`: one check each."""

    check: Annotated[str, Column("the check", "", 0)]
    ok: Annotated[bool, Column("whether it passed", "", 0)]
    detail: Annotated[str, Column("result", "", 1)]
    hint: Annotated[str, Column("next step", "", 2)]


class CheckpointItem(TypedDict):
    """`answerable evidence checkpoint`; `note` is the text to export, byte for byte."""

    origin: Annotated[str, Column("name of the log")]
    size: Annotated[int, Column("the size")]
    root: Annotated[str, Column("the root")]
    key: Annotated[str, Column("public key that signed")]
    note: Annotated[str, Column("text to export, byte for byte")]


class InclusionProofItem(TypedDict):
    """`answerable evidence prove`: a record and its two inclusion proofs."""

    event_id: Annotated[str, Column("id of the event")]
    event: Annotated[str, Column("the canonical bytes, as sealed")]
    leaf: Annotated[str, Column("hash of the canonical bytes")]
    segment: Annotated[str, Column("the segment that contains the record")]
    row: Annotated[int, Column("the position in the segment")]
    rows: Annotated[int, Column("number of records of the segment")]
    path: Annotated[list[str], Column("hashes from the leaf to `event_root`")]
    event_root: Annotated[
        str, Column("root of the segment's records, from the manifest")
    ]
    log_index: Annotated[int, Column("index of the manifest in the log")]
    log_size: Annotated[int, Column("size of the log")]
    log_path: Annotated[list[str], Column("hashes from the manifest to `log_root`")]
    log_root: Annotated[str, Column("root of the log")]
    checkpoint: Annotated[str, Column("the signed note over `log_root`")]


class EvidenceBundleItem(TypedDict):
    """`answerable evidence bundle`; `bundle` is the file's content."""

    events: Annotated[int, Column("events in the bundle", "", 0, "count", right=True)]
    segments: Annotated[
        int, Column("segments that contain the records", "", 1, "count", right=True)
    ]
    log_size: Annotated[int, Column("entries of the log", "", 1, "count", right=True)]
    key: Annotated[str, Column("public key that verifies the file", "", 0)]
    bundle: Annotated[str, Column("content of the file")]


class ProbeItem(TypedDict):
    """`answerable where`."""

    source: Annotated[str, Column("as named", "", 1)]
    place: Annotated[str, Column("path, pattern or API call", "", 0, floor=24)]
    what: Annotated[str, Column("data that the source reads there", "", 2)]
    found: Annotated[bool | None, Column("null if not checked", "there", 0, "found")]


class ExportedFileItem(TypedDict):
    """`answerable export`: one file."""

    file: Annotated[str, Column("path of the file", "", 0, floor=20)]
    bytes: Annotated[int, Column("the size", "", 1, "count", right=True)]
