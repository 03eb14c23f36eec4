"""A standalone Spark cluster on loopback: a master and workers, ended by their ids."""

import os
import socket
import subprocess
import time
from pathlib import Path

from bench.process_time import end_processes, list_descendants

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

    def add_workers(self, count: int) -> None:
        """Start workers of one core until so many run, and wait for the master."""
        running = sum(each.poll() is None for each in self.workers)
        names = [f"Worker{len(self.workers) + n}" for n in range(count - running)]
        for name in names:
            limits = ("--cores", "1", "--memory", WORKER_MEMORY)
            where = ("--work-dir", str(self._folder / name), self.address)
            self.workers.append(self._start("Worker", *limits, *where, log=name))
        for name in names:
            self._wait_for(name, "Successfully registered with master")

    def kill_worker(self) -> None:
        """Kill the oldest worker and the executors that it started, without notice."""
        worker = next(each for each in self.workers if each.poll() is None)
        own = list(list_descendants(worker.pid))
        worker.kill()
        worker.wait()
        end_processes(own)

    def read_log(self, name: str) -> str:
        """Return the log of a process."""
        return (self._folder / f"{name}.log").read_text("utf-8", "replace")

    def close(self) -> None:
        """End all processes, and executors that outlive their worker."""
        own = [pid for each in self.workers for pid in list_descendants(each.pid)]
        for process in (*self.workers, self._master):
            if process.poll() is None:
                process.terminate()
        for process in (*self.workers, self._master):
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        end_processes(own)

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
