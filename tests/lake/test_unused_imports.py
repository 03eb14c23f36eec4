"""Commands on a local store import no client of a cloud, lake or cluster."""

import json
import subprocess
import sys
from pathlib import Path

from tests.lake.conftest import make_record

FOREIGN = (
    "boto3",
    "botocore",
    "pyarrow",
    "pyiceberg",
    "pyspark",
    "py4j",
    "s3fs",
    "sqlglot",
)
OWN = (
    "answerable.connectors.cloudtrail.lake",
    "answerable.connectors.s3_bucket",
    "answerable.services.lineage.lake_events",
    "answerable.store.remote_store",
    "answerable.store.spark_dialect",
    "answerable.store.spark_engine",
    "answerable.store.spark_files",
    "answerable.store.spark_session",
)
RUN = """
import json, sys
from answerable.cli.main import main
for words in json.loads(sys.argv[1]):
    assert main(words) == 0, words
print(*sys.modules, file=sys.stderr)
"""


def test_commands_on_a_local_store_import_no_other_engine(tmp_path: Path) -> None:
    records = {"Records": [make_record(number) for number in range(5)]}
    (tmp_path / "trail.json").write_text(json.dumps(records))
    commands = [
        ("ingest", f"cloudtrail:{tmp_path / 'trail.json'}"),
        ("sql", "SELECT count(*) FROM lineage"),
        ("trace",),
        ("evidence", "verify"),
    ]
    shared = ("--store", str(tmp_path / "store"), "-q")
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            RUN,
            json.dumps([[*shared, *each] for each in commands]),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    loaded = set(ran.stderr.split())
    assert "answerable.store.store" in loaded
    assert loaded & {*FOREIGN, *OWN} == set()


def test_ingest_of_a_small_store_imports_nothing_that_derives_chains(
    tmp_path: Path,
) -> None:
    records = {"Records": [make_record(number) for number in range(5)]}
    (tmp_path / "trail.json").write_text(json.dumps(records))
    command = ("--store", str(tmp_path / "store"), "-q", "ingest")
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            RUN,
            json.dumps([[*command, f"cloudtrail:{tmp_path / 'trail.json'}"]]),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    loaded = set(ran.stderr.split())
    assert "answerable.services.lineage.question_files" in loaded
    for name in ("services.lineage.chain_cache", "store.day_rollups", "lineage"):
        assert f"answerable.{name}" not in loaded, name
