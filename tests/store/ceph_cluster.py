"""A Ceph cluster on loopback, in memory, with its S3 gateway: a real S3 server.

Debian's packages ceph-mon, ceph-osd and radosgw; no root needed. Requests are HTTP, and
HTTPS with a certificate of its own.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.authority import Authority

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "monmaptool")
HAS_CEPH = all(map(shutil.which, PROGRAMS))
ACCESS_KEY, SECRET_KEY = "evidence-writer", "not-a-secret-of-anybody"
_SECONDS = 120
_CONFIG = """
[global]
fsid = {fsid}
mon_host = v1:127.0.0.1:{port}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr2 = false
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_class_dir = {classes}
osd_objectstore = memstore
memstore_device_bytes = 1073741824
mon_allow_pool_size_one = true
mon_data_avail_warn = 2
mon_data_avail_crit = 1
mon_data = {folder}/mon
osd_data = {folder}/osd
run_dir = {folder}
log_file = {folder}/$name.log
admin_socket = {folder}/$name.asok
pid_file = {folder}/$name.pid
"""


class CephCluster:
    """Monitor, storage daemon and S3 gateway of one cluster.

    Attributes:
        address: Of the gateway, http.
        tls_address: Of the gateway, https.
        authority: File of the certificate that the gateway's is signed by.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []
        authority = Authority(folder)
        self.authority = authority.root.certificate
        self._issued = authority.issue("gateway")
        monitor, self._port, self._tls_port = _find_free_ports(3)
        self.address = f"http://127.0.0.1:{self._port}"
        self.tls_address = f"https://127.0.0.1:{self._tls_port}"
        fsid = str(uuid.uuid4())
        (classes,) = Path("/usr/lib").glob("*/rados-classes")
        self._config = folder / "ceph.conf"
        self._config.write_text(
            _CONFIG.format(fsid=fsid, port=monitor, folder=folder, classes=classes)
        )
        for name in ("mon", "osd"):
            (folder / name).mkdir()
        try:
            self._start_cluster(fsid, monitor)
            self.start_gateway()
        except BaseException:
            self.close()
            raise

    def _start_cluster(self, fsid: str, port: int) -> None:
        monitors = str(self._folder / "monmap")
        address = f"[v1:127.0.0.1:{port}]"
        new = ("--create", "--fsid", fsid, "--addv", "a", address, monitors)
        self._run("monmaptool", *new)
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monitors)
        self._start("ceph-mon", "-i", "a", "-f")
        disk = str(uuid.uuid4())
        self._run("ceph", "osd", "new", disk)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        self._start("ceph-osd", "-i", "0", "-f")
        self._wait_for(self._has_disk)
        keys = (f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}")
        user = ("--uid=writer", "--display-name=writer", *keys)
        self._run("radosgw-admin", "user", "create", *user)

    def start_gateway(self) -> None:
        """Start the S3 gateway, and wait until it answers."""
        files = f"ssl_certificate={self._issued.certificate} ssl_private_key={self._issued.key}"
        ports = (
            f"endpoint=127.0.0.1:{self._port} ssl_endpoint=127.0.0.1:{self._tls_port}"
        )
        self._gateway = self._start(
            *("radosgw", "-n", "client.rgw", "-f"),
            f"--rgw_frontends=beast {ports} {files}",
        )
        self._wait_for(self._answers)

    def kill_gateway(self) -> None:
        """Kill the gateway without notice; the objects stay in the cluster."""
        self._gateway.send_signal(signal.SIGKILL)
        self._gateway.wait()

    def close(self) -> None:
        """End all processes."""
        for process in reversed(self._running):
            if process.poll() is None:
                process.kill()  # all is in memory
            process.wait()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._tls_port), 1):
                return True
        except OSError:
            return False

    def _wait_for(self, is_true: Callable[[], bool]) -> None:
        until = time.monotonic() + _SECONDS
        while not is_true():
            for process in self._running:
                if process.poll() not in (None, -signal.SIGKILL):
                    raise RuntimeError(f"{process.args} ended")
            if time.monotonic() > until:
                raise RuntimeError("the Ceph cluster does not become ready")
            time.sleep(0.1)

    def _has_disk(self) -> bool:
        """Return whether the disk is up; a monitor that has just started may refuse."""
        try:
            return " 1 up" in self._run("ceph", "osd", "stat")
        except RuntimeError:
            return False

    def _run(self, *words: str) -> str:
        ran = subprocess.run(
            [*words, "-c", str(self._config)],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if ran.returncode:
            raise RuntimeError(f"{words}: {ran.stderr[-500:]}")
        return ran.stdout

    def _start(self, *words: str) -> "subprocess.Popen[bytes]":
        with (self._folder / f"{words[0]}.out").open("ab") as output:
            process = subprocess.Popen(
                [*words, "-c", str(self._config)],
                stdout=output,
                stderr=output,
                env=dict(os.environ),
            )
        self._running.append(process)
        return process


def _find_free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
