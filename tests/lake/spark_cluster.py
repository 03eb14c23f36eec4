"""A standalone Spark cluster on loopback: a master and workers, ended by their ids."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

SECONDS = 240
WORKER_MEMORY = "700m"


class SparkCluster:
    """Processes of a cluster.

    Attributes:
        address: Address of the master, spark://HOST:PORT.
        workers: Processes of the workers.
    """

    def __init__(self, folder: Path) -> None:
        import pyspark

        self._folder = folder
        self._class = Path(pyspark.__file__).parent / "bin" / "spark-class"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.address = f"spark://127.0.0.1:{self._port}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._master = self._start("Master", "--port", str(self._port))
        try:
            self._wait_for("Master", "I have been elected leader")
        except BaseException:
            self.close()
            raise

    def add_worker(self) -> None:
        """Start a worker of one core, and wait until the master knows it."""
        name = f"Worker{len(self.workers)}"
        limits = ("--cores", "1", "--memory", WORKER_MEMORY)
        work = str(self._folder / name)
        self.workers.append(
            self._start("Worker", *limits, "--work-dir", work, self.address, log=name)
        )
        self._wait_for(name, "Successfully registered with master")

    def kill_worker(self, number: int) -> None:
        """Kill a worker and the executors that it started, without notice."""
        worker = self.workers[number]
        own = [int(pid) for tasks in _list_tasks(worker.pid) for pid in tasks]
        worker.kill()
        worker.wait()
        for pid in own:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)

    def read_log(self, name: str) -> str:
        """Return the log of a process."""
        return (self._folder / f"{name}.log").read_text("utf-8", "replace")

    def close(self) -> None:
        """End all processes."""
        for process in (*self.workers, self._master):
            if process.poll() is None:
                process.terminate()
        for process in (*self.workers, self._master):
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(
        self, role: str, *words: str, log: str = ""
    ) -> "subprocess.Popen[bytes]":
        name = f"org.apache.spark.deploy.{role.lower()}.{role}"
        with (self._folder / f"{log or role}.log").open("wb") as output:
            return subprocess.Popen(
                [
                    *(str(self._class), name, "--host", "127.0.0.1"),
                    *("--webui-port", "0", *words),
                ],
                env={
                    **os.environ,
                    "SPARK_LOCAL_IP": "127.0.0.1",
                    "SPARK_DAEMON_MEMORY": "256m",
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _wait_for(self, name: str, text: str) -> None:
        until = time.monotonic() + SECONDS
        while text not in self.read_log(name):
            assert time.monotonic() < until, self.read_log(name)
            time.sleep(0.2)


def _list_tasks(pid: int) -> Iterator[list[str]]:
    """Yield the processes that each thread of a process started."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield (task / "children").read_text().split()
