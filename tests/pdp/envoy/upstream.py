"""Checks of our Envoy messages against the Envoy API, run where xds-protos is installed.

    .envoy/bin/python tests/pdp/envoy/upstream.py ROOT

The environment is one of its own (`requirements/envoy.txt`): xds-protos writes over
files of googleapis-common-protos and opentelemetry-proto. Nothing of answerable is
installed there, so the module under test is loaded from its file.
"""

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.service.auth.v3 import attribute_context_pb2, external_auth_pb2
from envoy.type.v3 import http_status_pb2
from google.protobuf import descriptor_pb2
from google.rpc import code_pb2, status_pb2
from grpc_tools import protoc

FOLDER = Path("src/answerable/pdp/envoy")
_CONTEXT = attribute_context_pb2.AttributeContext
UPSTREAM = {
    "CheckRequest": external_auth_pb2.CheckRequest,
    "CheckResponse": external_auth_pb2.CheckResponse,
    "DeniedHttpResponse": external_auth_pb2.DeniedHttpResponse,
    "OkHttpResponse": external_auth_pb2.OkHttpResponse,
    "AttributeContext": _CONTEXT,
    "Peer": _CONTEXT.Peer,
    "Request": _CONTEXT.Request,
    "HttpRequest": _CONTEXT.HttpRequest,
    "HeaderMap": base_pb2.HeaderMap,
    "HeaderValueOption": base_pb2.HeaderValueOption,
    "HeaderValue": base_pb2.HeaderValue,
    "HttpStatus": http_status_pb2.HttpStatus,
    "Status": status_pb2.Status,
}


def load(root: Path) -> Any:
    place = root / FOLDER / "ext_authz_proto.py"
    spec = importlib.util.spec_from_file_location("ext_authz_proto", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiled(root: Path) -> Any:
    """What protoc makes of the .proto."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        words = ["protoc", f"-I{root / FOLDER}", f"--descriptor_set_out={out}"]
        assert protoc.main([*words, "ext_authz.proto"]) == 0
        [file] = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
        return file


def shape(field: Any) -> tuple[object, ...]:
    repeated = field.is_repeated if hasattr(field, "is_repeated") else field.label == 3
    is_map = (
        field.message_type is not None and field.message_type.GetOptions().map_entry
    )
    oneof = field.containing_oneof.name if field.containing_oneof else ""
    return field.number, field.type, repeated, is_map, oneof


def check_fields(proto: Any) -> None:
    assert set(UPSTREAM) == {m.name for m in proto.file_descriptor().message_type}
    for name, upstream in UPSTREAM.items():
        theirs = upstream.DESCRIPTOR.fields_by_name
        for field in proto.message_class(name).DESCRIPTOR.fields:
            assert shape(field) == shape(theirs[field.name]), f"{name}.{field.name}"
    actions = base_pb2.HeaderValueOption.HeaderAppendAction
    assert dict(actions.items()) == {
        value.name: value.number for value in proto.file_descriptor().enum_type[0].value
    }
    assert actions.Value("OVERWRITE_IF_EXISTS_OR_ADD") == (
        proto.OVERWRITE_IF_EXISTS_OR_ADD
    )
    assert (proto.OK, proto.PERMISSION_DENIED) == (
        code_pb2.OK,
        code_pb2.PERMISSION_DENIED,
    )


def real_request() -> Any:
    """A check with more fields than we list."""
    request = external_auth_pb2.CheckRequest()
    attributes = request.attributes
    attributes.source.address.socket_address.address = "10.0.0.7"
    attributes.source.address.socket_address.port_value = 40312
    attributes.source.labels["app"] = "triage"
    attributes.source.principal = "spiffe://example.org/triage"
    attributes.source.certificate = "-----BEGIN%20CERTIFICATE-----"
    attributes.destination.principal = "spiffe://example.org/gateway"
    attributes.context_extensions["server"] = "files"
    attributes.metadata_context.filter_metadata["a"].fields["b"].bool_value = True
    attributes.tls_session.sni = "mcp.example"
    attributes.request.time.seconds = 1_795_000_000
    http = attributes.request.http
    http.id, http.method, http.path = "7", "POST", "/mcp/files"
    http.host, http.scheme, http.protocol = "mcp.example", "https", "HTTP/2"
    http.headers["content-type"] = "application/json"
    http.headers[":path"] = "/mcp/files"
    http.size, http.raw_body = 3, b"\x00{}"
    return request


def check_request(proto: Any) -> None:
    sent = real_request()
    ours = proto.CheckRequest.FromString(sent.SerializeToString())
    http = ours.attributes.request.http
    theirs = sent.attributes.request.http
    for name in ("method", "path", "host", "scheme", "body", "raw_body"):
        assert getattr(http, name) == getattr(theirs, name), name
    assert dict(http.headers) == dict(theirs.headers)
    assert ours.attributes.source.principal == sent.attributes.source.principal
    assert ours.attributes.source.certificate == sent.attributes.source.certificate
    assert dict(ours.attributes.context_extensions) == {"server": "files"}
    back = external_auth_pb2.CheckRequest.FromString(ours.SerializeToString())
    assert back == sent


def check_responses(proto: Any) -> None:
    """Answers as `messages.py` makes them, read by the Envoy API."""
    header = proto.HeaderValueOption(
        header=proto.HeaderValue(key="x-answerable-decision-id", value="d1"),
        append_action=proto.OVERWRITE_IF_EXISTS_OR_ADD,
    )
    passed = proto.CheckResponse(
        status=proto.Status(code=proto.OK),
        ok_response=proto.OkHttpResponse(
            headers=[header], headers_to_remove=["authorization", "dpop"]
        ),
    )
    stopped = proto.CheckResponse(
        status=proto.Status(code=proto.PERMISSION_DENIED),
        denied_response=proto.DeniedHttpResponse(
            status=proto.HttpStatus(code=503), headers=[header], body="{}"
        ),
    )
    for made in (passed, stopped):
        read = external_auth_pb2.CheckResponse.FromString(made.SerializeToString())
        assert str(read).strip() == str(made).strip().replace(
            "503", "ServiceUnavailable"
        )
        read.DiscardUnknownFields()
        assert proto.CheckResponse.FromString(read.SerializeToString()) == made


def main() -> int:
    root = Path(sys.argv[1])
    proto = load(root)
    assert compiled(root) == proto.file_descriptor(), "the .proto says something else"
    check_fields(proto)
    check_request(proto)
    check_responses(proto)
    return 0


if __name__ == "__main__":
    sys.exit(main())
