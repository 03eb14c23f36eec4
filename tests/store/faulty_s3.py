"""Moto's S3 in a thread, on loopback, that fails as it is told to."""

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import moto.backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "evidence"
# Of a method and a path: "" to work; "refused" (500), "conflict" (409) or "condition"
# (412) without an effect; "lost" (the effect, then 500); "torn" (half of the object is
# kept, then 500); "cut" (half of the answer).
Fault = Callable[[str, str], str]
_STATUS = {
    "refused": ("500 Internal Server Error", "InternalError"),
    "lost": ("500 Internal Server Error", "InternalError"),
    "torn": ("500 Internal Server Error", "InternalError"),
    "conflict": ("409 Conflict", "ConditionalRequestConflict"),
    "condition": ("412 Precondition Failed", "PreconditionFailed"),
}


class FaultyS3:
    """WSGI application: moto, one request at a time, with faults.

    Moto compares the version and writes in two steps, so requests must not overlap.
    """

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.faults: dict[str, int] = {}
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        fault = self.fault(method, environ["PATH_INFO"])
        if not self._is_possible(fault, environ):
            fault = ""
        with self._lock:
            if fault:
                self.faults[fault] = self.faults.get(fault, 0) + 1
            if fault == "torn":
                size = int(environ["CONTENT_LENGTH"])
                body = environ["wsgi.input"].read(size)[: size // 2]
                environ["wsgi.input"] = io.BytesIO(body)
                environ["CONTENT_LENGTH"] = str(len(body))
                for name in [name for name in environ if "CHECKSUM" in name]:
                    del environ[name]
            if fault in ("", "cut", "lost", "torn"):
                said: list[Any] = []
                answer = b"".join(
                    self._app(environ, lambda *words: said.append(words[:2]))
                )
                if fault in ("", "cut"):
                    start_response(*said[-1])
                    return [answer[: len(answer) // 2] if fault else answer]
            status, code = _STATUS[fault]
            text = f"<Error><Code>{code}</Code></Error>".encode()
            start_response(status, [("Content-Length", str(len(text)))])
            return [text]

    def _is_possible(self, fault: str, environ: Any) -> bool:
        """Tell whether a request can fail so; S3 replaces an object as a whole."""
        creates = "HTTP_IF_NONE_MATCH" in environ
        if fault in ("conflict", "condition"):
            return creates or "HTTP_IF_MATCH" in environ
        if fault == "torn":
            return (
                creates and environ["PATH_INFO"].partition("/log/")[2] != "checkpoint"
            )
        return fault != "cut" or environ["REQUEST_METHOD"] == "GET"


class _QuietHandler(WSGIRequestHandler):
    """Handler that logs no requests."""

    def log(self, *words: Any) -> None:
        """Log nothing."""


@contextmanager
def serve_faulty_s3(fault: Fault) -> Iterator[tuple[FaultyS3, str]]:
    """Serve a new bucket; yield the application and its address."""
    for backends in moto.backends.get_backend("s3").values():
        backends.reset()
    app = FaultyS3(lambda method, path: "")
    server = make_server(
        "127.0.0.1", 0, app, threaded=True, request_handler=_QuietHandler
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        ).create_bucket(Bucket=BUCKET)
        app.fault = fault
        yield app, address
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
