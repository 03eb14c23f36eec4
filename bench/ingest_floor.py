"""Floor of an ingest: the least work from log files to sealed, sorted, durable rows.

    python -m bench.ingest_floor TRAIL FOLDER

reads the gzip files of a trail in one process and prints the number of events. Its steps
are those of any sealed ingest: split the records, decode the members that a row needs,
encode canonical bytes, hash a salted leaf, write Parquet sorted by caller and time, and
synchronise each file. It resolves no caller, derives no resource, and looks for no
duplicate; it keeps no journal and no log. What it stores proves nothing.
"""

import gzip
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from arro3.core import Array, DataType, Table

from answerable.store.segment_files import PARQUET_OPTIONS

ROWS = 50_000  # of a segment, as in a store
SALT = 16


class FloorSession(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Issuer of a session."""

    arn: str = ""


class FloorContext(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Session of a call."""

    session_issuer: FloorSession = FloorSession()


class FloorCaller(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Caller of a call."""

    type: str = ""
    arn: str = ""
    access_key_id: str = ""
    session_context: FloorContext = FloorContext()


class FloorResource(msgspec.Struct, frozen=True, gc=False):
    """Resource of a call."""

    arn: str = msgspec.field(name="ARN", default="")


class FloorRecord(msgspec.Struct, gc=False, rename="camel"):
    """Record, with the members that a row needs."""

    event_time: str
    event_name: str
    event_source: str
    event_id: str = msgspec.field(name="eventID")
    aws_region: str = ""
    source_ip: str = msgspec.field(name="sourceIPAddress", default="")
    user_agent: str = ""
    error_code: str = ""
    request_id: str = msgspec.field(name="requestID", default="")
    recipient_account_id: str = ""
    user_identity: FloorCaller = FloorCaller()
    resources: list[FloorResource] = []


class FloorRow(msgspec.Struct, gc=False, omit_defaults=True):
    """Row, in the order of its canonical encoding."""

    account: str
    action: str
    caller: str
    credential: str
    error: str
    event_id: str
    raw: str
    region: str
    request_id: str
    resource: str
    salt: str
    session: str
    source_ip: str
    time: str
    user_agent: str


class FloorFile(msgspec.Struct, gc=False):
    """Log file."""

    records: list[msgspec.Raw] = msgspec.field(name="Records")


COLUMNS = FloorRow.__struct_fields__
_split = msgspec.json.Decoder(FloorFile).decode
_decode = msgspec.json.Decoder(FloorRecord).decode
_encode = msgspec.json.Encoder().encode


def read_rows(trail: Path) -> Iterator[tuple[FloorRow, bytes]]:
    """Yield each row of a trail with its leaf hash."""
    sha256 = hashlib.sha256
    for path in sorted(trail.rglob("*.json.gz")):
        records = _split(gzip.decompress(path.read_bytes())).records
        salts = os.urandom(SALT * len(records)).hex()
        for number, raw in enumerate(records):
            record = _decode(raw)
            who = record.user_identity
            row = FloorRow(
                account=record.recipient_account_id,
                action=f"{record.event_source}:{record.event_name}",
                caller=who.session_context.session_issuer.arn or who.arn,
                credential=who.access_key_id,
                error=record.error_code,
                event_id=record.event_id,
                raw=sha256(raw).hexdigest(),
                region=record.aws_region,
                request_id=record.request_id,
                resource=record.resources[0].arn if record.resources else "",
                salt=salts[number * 2 * SALT : (number + 1) * 2 * SALT],
                session=who.arn,
                source_ip=record.source_ip,
                time=record.event_time,
                user_agent=record.user_agent,
            )
            yield row, sha256(b"\x00" + _encode(row)).digest()


def write_segment(
    folder: Path, number: int, rows: list[tuple[FloorRow, bytes]]
) -> None:
    """Write sorted rows and their leaves, both durable."""
    import duckdb

    rows.sort(key=lambda each: (each[0].caller, each[0].time))
    columns = zip(*(msgspec.structs.astuple(row) for row, _ in rows), strict=True)
    table = Table.from_pydict(
        {
            name: Array(list(values), DataType.utf8())
            for name, values in zip(COLUMNS, columns, strict=True)
        }
    )
    binary = ", ".join(f"unhex({each}) AS {each}" for each in ("raw", "salt"))
    parquet, leaves = folder / f"{number}.parquet", folder / f"{number}.leaves"
    with duckdb.connect() as connection:
        connection.register("rows", table)
        connection.execute(
            f"COPY (SELECT * REPLACE ({binary}) FROM rows) TO '{parquet}' "  # noqa: S608
            f"({PARQUET_OPTIONS})"
        )
    leaves.write_bytes(b"".join(leaf for _, leaf in rows))
    for path in (parquet, leaves):
        handle = os.open(path, os.O_RDONLY)
        os.fdatasync(handle)
        os.close(handle)


def main(trail: Path, folder: Path) -> int:
    """Write the segments of a trail; print the number of its events."""
    folder.mkdir(parents=True)
    count = number = 0
    rows: list[tuple[FloorRow, bytes]] = []
    for each in read_rows(trail):
        rows.append(each)
        if len(rows) == ROWS:
            write_segment(folder, number, rows)
            count, number, rows = count + ROWS, number + 1, []
    if rows:
        write_segment(folder, number, rows)
    sys.stdout.write(f"{count + len(rows)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
