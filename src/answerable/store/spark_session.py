"""Spark session of one query on a standalone cluster: started, locked down and ended."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from answerable.model.errors import EnvironmentFailure, UsageError

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

SCHEME = "spark://"
CONNECT_TIMEOUT = 5.0  # seconds
WORKER_TIMEOUT = 60.0  # seconds
_JAVA_OPTIONS = "-Dlog4j2.configurationFile=file:{file}"
# Spark would read files that a query names, and replace `${env:NAME}` in it.
_SETTINGS = {
    "spark.sql.runSQLOnFiles": "false",
    "spark.sql.variable.substitute": "false",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_END_TIMEOUT = 10.0  # seconds
_JAVA_ENDED = "JAVA_GATEWAY_EXITED"  # pyspark's name of the error
_MAX_REASON = 300  # characters
_LOG_CONFIG = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %m%n%ex{1}
"""


def parse_master(address: str) -> list[tuple[str, int]]:
    """Parse the address of a standalone master, or of several.

    Returns:
        Host and port of each.

    Raises:
        UsageError: It has another form.
    """
    masters: list[tuple[str, int]] = []
    for each in address.removeprefix(SCHEME).split(","):
        host, colon, port = each.rpartition(":")
        if not (colon and host and port.isdecimal() and 0 < int(port) < 1 << 16):
            masters = []
            break
        masters.append((host.strip("[]"), int(port)))
    if not address.startswith(SCHEME) or not masters:
        raise UsageError(
            f"--engine is not the address of a Spark master (got {address!r}, expected "
            "spark://HOST:PORT)",
            "the page of the master shows its address",
        )
    return masters


@contextlib.contextmanager
def open_spark_session(address: str, folder: Path) -> Iterator["SparkSession"]:
    """Open a session whose SQL can only read tables that it is given.

    Args:
        address: spark://HOST:PORT of a master, several separated by commas.
        folder: Existing folder for files of the driver.

    Raises:
        UsageError: The address has another form.
        EnvironmentFailure: No master or worker answers.
    """
    masters = parse_master(address)
    _require_programs()
    local_address = _find_local_address(masters)
    from pyspark import SparkContext
    from pyspark.logger import PySparkLogger
    from pyspark.sql import SparkSession

    # It prints the query and the error that our message names.
    PySparkLogger.getLogger("SQLQueryContextLogger").disabled = True
    log, log_config = folder / "driver.log", folder / "log4j2.properties"
    log_config.write_text(_LOG_CONFIG)
    builder = (
        SparkSession.builder.master(address)
        .appName("answerable")
        .config("spark.driver.host", local_address)
        .config("spark.driver.bindAddress", local_address)
        .config("spark.driver.extraJavaOptions", _JAVA_OPTIONS.format(file=log_config))
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
    )
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    with _redirect_standard_error(log):
        try:
            session = builder.getOrCreate()
        except Exception as error:
            _end_driver(SparkContext)
            raise EnvironmentFailure(
                f"Spark did not start: {_find_reason(log, error)}",
                _suggest_start(error),
            ) from error
        try:
            _wait_for_worker(session.sparkContext)
            yield session
        finally:
            session.stop()
            _end_driver(SparkContext)


def _require_programs() -> None:
    """Refuse to start without pyspark or Java.

    Raises:
        UsageError: One is not installed.
    """
    for package in ("pyspark", "sqlglot"):
        if find_spec(package) is None:
            raise UsageError(
                f"--engine needs {package}, which is not installed",
                "pip install 'answerable[spark]'",
            )
    home = os.environ.get("JAVA_HOME", "")
    if home and shutil.which("java", path=Path(home, "bin")) is None:
        raise UsageError(
            f"JAVA_HOME has no bin/java (got {home!r})",
            "set it to the folder of Java 17 or later, or unset it",
        )
    if not home and shutil.which("java") is None:
        raise UsageError(
            "--engine needs Java 17 or later for the driver, and finds no java",
            "install it (Debian: default-jre-headless), or set JAVA_HOME",
        )


def _wait_for_worker(context: "SparkContext") -> None:
    """Wait until a worker has started a process for our queries.

    Raises:
        EnvironmentFailure: None does.
    """
    tracker = context._jsc.sc().statusTracker()
    until = time.monotonic() + WORKER_TIMEOUT
    while len(tracker.getExecutorInfos()) < 2:  # the first is the driver
        if time.monotonic() > until:
            raise EnvironmentFailure(
                f"no worker of the Spark cluster was free for {WORKER_TIMEOUT:g} seconds",
                "see the page of the master: workers, their free cores and memory, and "
                "spark.executor.memory",
            )
        time.sleep(0.1)


def _find_local_address(masters: Sequence[tuple[str, int]]) -> str:
    """Connect to a master, and return our address of that connection.

    Raises:
        EnvironmentFailure: None answers.
    """
    reason = ""
    for host, port in masters:
        try:
            with socket.create_connection((host, port), CONNECT_TIMEOUT) as line:
                return str(line.getsockname()[0])
        except OSError as error:
            reason = error.strerror or str(error)
    host, port = masters[-1]
    raise EnvironmentFailure(
        f"no Spark master answers at {host}:{port}: {reason}",
        "start it (deploy/spark/README.md), or leave out --engine",
    )


@contextlib.contextmanager
def _redirect_standard_error(log: Path) -> Iterator[None]:
    """Write what this process and the driver's JVM print to a file meanwhile."""
    sys.stderr.flush()
    kept = os.dup(2)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.dup2(handle, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(handle)


def _find_reason(log: Path, error: Exception) -> str:
    """Return the first error of the driver's log, or of the exception."""
    lines = log.read_text("utf-8", "replace").splitlines()
    starts = ("ERROR", "Error", "Exception")
    found = [line for line in lines if line.startswith(starts)]
    if not found and _JAVA_ENDED in str(error):
        found = [line for line in lines if line.strip()]
    return (found[0] if found else str(error).splitlines()[0])[:_MAX_REASON]


def _suggest_start(error: Exception) -> str:
    """Suggest what to check after a driver that did not start."""
    if _JAVA_ENDED in str(error):
        home = os.environ.get("JAVA_HOME")
        place = f"JAVA_HOME is {home}" if home else f"it is {shutil.which('java')}"
        return f"Java ended at once; Spark needs Java 17 or later ({place})"
    return (
        "the driver and the cluster need the same version of Spark; see the log of the "
        "master"
    )


def _end_driver(context: "type[SparkContext]") -> None:
    """End the JVM of the driver, which pyspark keeps for another session."""
    gateway = context._gateway
    context._gateway = context._jvm = None
    if gateway is None:
        return
    gateway.shutdown()
    process = getattr(gateway, "proc", None)
    if process is None:
        return
    process.stdin.close()  # it ends at the end of its input
    try:
        process.wait(_END_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
