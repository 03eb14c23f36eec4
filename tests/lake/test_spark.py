"""Spark gives the rows of DuckDB over the same segments, also when a worker dies."""

import json
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import Mock

import pytest

from answerable.model.errors import UsageError
from answerable.services.inventory.snapshots import load_inventory
from answerable.services.lineage.view_tables import build_view_tables
from answerable.store.query_engine import QueryLimits
from answerable.store.spark_engine import SparkEngine
from answerable.store.store import EvidenceStore
from answerable.store.store_layout import open_layout
from answerable.usecases.lineage import run_sql
from tests.lake.conftest import Run, make_record
from tests.lake.engine_commands import COMMANDS, forget_derived_data
from tests.lake.spark_cluster import SparkCluster
from tests.store.conftest import NOW

VIEWS = ("events", "lineage", "decisions")
TABLES = ("agents", "identities", "credentials", "owners")
# Those of docs/lineage.md, docs/cli.md and docs/gateway.md, and one of each kind.
QUERIES = (
    *(f"SELECT * FROM {name}" for name in (*VIEWS, *TABLES)),  # noqa: S608 - our views
    "SELECT person, person_status, count(*) AS n FROM lineage GROUP BY ALL "
    "ORDER BY n DESC",
    "SELECT identity, count(*) AS calls FROM lineage GROUP BY identity "
    "ORDER BY calls DESC",
    "SELECT agent, tool, reason, count(*) FROM decisions WHERE effect <> 'allow' "
    "GROUP BY ALL",
    "SELECT facts FROM events WHERE source = 'sts'",
    "SELECT count(*), count(DISTINCT resource), sum(sequence), max(event_time) "
    "FROM events WHERE outcome = 'denied'",
    'SELECT l.action AS "the action", o.state FROM lineage l '
    "LEFT JOIN owners o ON l.identity = o.subject WHERE l.resource LIKE '%1.csv'",
    "SELECT identity, event_time, row_number() OVER (PARTITION BY identity "
    "ORDER BY event_time) AS n FROM lineage",
)
HAS_SPARK = (
    all(map(find_spec, ("pyspark", "sqlglot"))) and shutil.which("java") is not None
)
needs_spark = pytest.mark.skipif(
    not HAS_SPARK, reason="needs pyspark, sqlglot and Java"
)
ENGINE = ("--engine", "spark://127.0.0.1:1")


def list_texts(rows: list[dict[str, object]]) -> list[list[str]]:
    """Rows as texts, sorted; other engines have no nanoseconds."""
    return sorted(
        [str(value).replace("T", " ").removesuffix("+00:00") for value in row.values()]
        for row in rows
    )


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    """Start a cluster for all tests; small answers need no 200 partitions."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "spark-defaults.conf").write_text(
        "spark.executor.memory 512m\nspark.sql.shuffle.partitions 2\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONF_DIR", str(folder))
        with closing(SparkCluster(folder)) as running:
            yield running


@pytest.fixture
def cluster(master: SparkCluster) -> SparkCluster:
    """Return the cluster with two workers, also after a test that killed one."""
    master.add_workers(2)
    return master


@pytest.mark.world
@needs_spark
def test_spark_gives_the_rows_of_duckdb_while_a_worker_is_killed(
    run: Run, filled: Path, cluster: SparkCluster, tmp_path: Path
) -> None:
    removed = cluster.read_log("Master").count("Removing worker")
    # A second segment, and records that are not sealed yet.
    more = {"Records": [make_record(number) for number in range(40, 55)]}
    (tmp_path / "more.json").write_text(json.dumps(more))
    run("ingest", f"cloudtrail:{tmp_path / 'more.json'}")
    now = time.time_ns()
    limits = QueryLimits(seconds=600)
    differing: list[str] = []
    file = filled / "keys" / "log.pub"
    with EvidenceStore.open(filled, now=now) as store:
        inventory = load_inventory(store)
        tables = run_sql.list_inventory_tables(inventory)
        expected = {
            query: run_sql.run_sql_query(store, inventory, query, now=now).items
            for query in QUERIES
        }
        known = build_view_tables(store, inventory, tables)
        sources = store.queries.get_current_sources()
        with closing(SparkEngine(store.layout, cluster.address)) as spark:
            for number, query in enumerate(QUERIES):
                if number == len(QUERIES) // 2:
                    cluster.kill_worker()
                columns, rows = spark.run_select(sources, query, known, limits)
                found = run_sql.build_items(columns, rows)
                if list_texts(found) != list_texts(expected[query]):
                    differing.append(query)
            with pytest.raises(UsageError, match="TABLE_OR_VIEW_NOT_FOUND"):
                spark.run_select(
                    sources,
                    f"SELECT * FROM text.`{file}`",  # noqa: S608 - refused
                    known,
                    limits,
                )
            # Not the variable of the driver's environment.
            query = "SELECT '${env:HOME}'"
            _, rows = spark.run_select(sources, query, known, limits)
            assert rows == [("${env:HOME}",)]
    assert not differing
    assert len(expected["SELECT * FROM events"]) == 55
    assert cluster.read_log("Master").count("Removing worker") == removed + 1
    assert not list((filled / "derived").glob("spark-*"))


@pytest.mark.world
@needs_spark
def test_commands_answer_the_same_on_a_cluster_while_a_worker_is_killed(
    run: Run,
    filled: Path,
    cluster: SparkCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    removed = cluster.read_log("Master").count("Removing worker")
    # A second segment.
    more = {"Records": [make_record(number) for number in range(40, 55)]}
    (tmp_path / "more.json").write_text(json.dumps(more))
    run("ingest", f"cloudtrail:{tmp_path / 'more.json'}")
    differing: list[tuple[str, ...]] = []
    monkeypatch.setattr("answerable.cli.session.time", Mock(time_ns=lambda: NOW))
    # One session for all commands.
    with closing(
        SparkEngine(open_layout(filled, create=False), cluster.address)
    ) as spark:
        monkeypatch.setattr(
            "answerable.store.spark_engine.SparkEngine",
            lambda layout, address: Mock(wraps=spark, close=lambda: None),
        )
        for number, words in enumerate(COMMANDS):
            if number == len(COMMANDS) // 2:
                cluster.kill_worker()
            # The user has no policy: the proof of least privilege fails.
            code = int(words[0] == "least-privilege")
            expected = run(*words, code=code)["items"]
            forget_derived_data(filled)
            found = run(*words, "--engine", cluster.address, code=code)["items"]
            if found != expected:
                differing.append(words)
    assert not differing
    assert cluster.read_log("Master").count("Removing worker") == removed + 1
    assert not list((filled / "derived").glob("spark-*"))


@pytest.mark.world
@needs_spark
def test_the_command_prints_what_it_prints_without_a_cluster(
    run: Run, filled: Path, cluster: SparkCluster, tmp_path: Path
) -> None:
    query = QUERIES[8]
    engine = ("--engine", cluster.address, "--timeout", "10m")
    assert run("sql", query, *engine)["items"] == run("sql", query)["items"]
    said = run("sql", "SELECT nothing FROM events", *engine, code=2)["error"]
    assert "nothing" in said
    assert said.count("\n") == 2
    assert "hint: --engine runs Spark's dialect" in said
    assert not list((filled / "derived").glob("spark-*"))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--engine", "local[2]"), "expected spark://HOST:PORT"),
        (("--engine", "spark://a"), "expected spark://HOST:PORT"),
        (("--engine", "spark://a:0"), "expected spark://HOST:PORT"),
        (("--engine", "spark://a:1,b"), "expected spark://HOST:PORT"),
    ],
)
def test_an_address_of_another_form_is_refused(
    run: Run, filled: Path, words: tuple[str, ...], text: str
) -> None:
    assert text in run("sql", "SELECT 1", *words, code=2)["error"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SELECT reflect('java.lang.System', 'exit', '1')", "any Java code"),
        ("SELECT system.builtin.Java_Method('a', 'b')", "any Java code"),
        ("SELECT TRANSFORM(a) USING 'id' FROM events", "both accept"),
        ("DROP VIEW events", "exactly one SELECT"),
        ("SELECT 1; SELECT 2", "exactly one SELECT"),
        ("SET x = 1", "exactly one SELECT"),
    ],
)
def test_a_query_that_is_no_single_select_reaches_no_cluster(
    run: Run, filled: Path, query: str, text: str
) -> None:
    assert text in run("sql", query, *ENGINE, code=2)["error"]


def test_without_pyspark_the_package_to_install_is_named(
    run: Run, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable.store.spark_session.find_spec", lambda name: None)
    assert (
        "pip install 'answerable[spark]'"
        in (run("sql", "SELECT 1", *ENGINE, code=2)["error"])
    )


def test_a_master_that_does_not_answer_is_named(
    run: Run, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "answerable.store.spark_session._require_programs", lambda: None
    )
    said = run("sql", "SELECT 1", *ENGINE, code=5)["error"]
    assert "no Spark master answers at 127.0.0.1:1: Connection refused" in said
    assert not list((filled / "derived").glob("spark-*"))


def test_a_folder_without_java_is_named(
    run: Run, filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable.store.spark_session.find_spec", lambda name: name)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    said = run("sql", "SELECT 1", *ENGINE, code=2)["error"]
    assert f"JAVA_HOME has no bin/java (got '{tmp_path}')" in said


@pytest.mark.world
@needs_spark
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_java_that_spark_cannot_use_is_named(
    run: Run, filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    java = tmp_path / "bin" / "java"
    java.write_text("#!/bin/sh\necho 'class file version 61.0' >&2\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as master:
        engine = ("--engine", f"spark://127.0.0.1:{master.getsockname()[1]}")
        said = run("sql", "SELECT 1", *engine, code=5)["error"]
    assert "Spark did not start: class file version 61.0" in said
    assert f"Spark needs Java 17 or later (JAVA_HOME is {tmp_path})" in said
