"""Build the protobuf message classes of Envoy's external authorization, without protoc.

The `.proto` holds the fields that are used, with the numbers and types of the Envoy API.
Its descriptor is written out here, so neither protoc nor a package that ships the whole
Envoy API is needed, and any protobuf runtime will do.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "answerable.ext_authz.v3"

_TYPES = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bytes": _TYPES.TYPE_BYTES,
    "int32": _TYPES.TYPE_INT32,
    "int64": _TYPES.TYPE_INT64,
    "string": _TYPES.TYPE_STRING,
}
# Message -> its fields as the .proto spells them: number, name and type.
_MESSAGES: dict[str, tuple[tuple[int, str, str], ...]] = {
    "CheckRequest": ((1, "attributes", "AttributeContext"),),
    "CheckResponse": (
        (1, "status", "Status"),
        (2, "denied_response", "oneof DeniedHttpResponse"),
        (3, "ok_response", "oneof OkHttpResponse"),
    ),
    "DeniedHttpResponse": (
        (1, "status", "HttpStatus"),
        (2, "headers", "repeated HeaderValueOption"),
        (3, "body", "string"),
    ),
    "OkHttpResponse": (
        (2, "headers", "repeated HeaderValueOption"),
        (5, "headers_to_remove", "repeated string"),
    ),
    "AttributeContext": (
        (1, "source", "Peer"),
        (4, "request", "Request"),
        (10, "context_extensions", "map"),
    ),
    "Peer": ((4, "principal", "string"), (5, "certificate", "string")),
    "Request": ((2, "http", "HttpRequest"),),
    "HttpRequest": (
        (2, "method", "string"),
        (3, "headers", "map"),
        (4, "path", "string"),
        (5, "host", "string"),
        (6, "scheme", "string"),
        (9, "size", "int64"),
        (11, "body", "string"),
        (12, "raw_body", "bytes"),
        (13, "header_map", "HeaderMap"),
    ),
    "HeaderMap": ((1, "headers", "repeated HeaderValue"),),
    "HeaderValueOption": (
        (1, "header", "HeaderValue"),
        (3, "append_action", "HeaderAppendAction"),
    ),
    "HeaderValue": (
        (1, "key", "string"),
        (2, "value", "string"),
        (3, "raw_value", "bytes"),
    ),
    "HttpStatus": ((1, "code", "StatusCode"),),
    "Status": ((1, "code", "int32"),),
}
_ENUMS = {
    "HeaderAppendAction": (
        "APPEND_IF_EXISTS_OR_ADD",
        "ADD_IF_ABSENT",
        "OVERWRITE_IF_EXISTS_OR_ADD",
        "OVERWRITE_IF_EXISTS",
    ),
    "StatusCode": ("EMPTY",),
}
OVERWRITE_IF_EXISTS_OR_ADD = 2
# google.rpc.Code
OK, PERMISSION_DENIED = 0, 7


def build_file_descriptor() -> Any:
    """Build the `FileDescriptorProto` that protoc makes of `ext_authz.proto`."""
    file = descriptor_pb2.FileDescriptorProto(
        name="ext_authz.proto", package=PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            _add_field(message, number, field, kind)
    for name, values in _ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    return file


def _add_field(message: Any, number: int, name: str, kind: str) -> None:
    """Add a field to a message descriptor, by a type such as `repeated string`."""
    label, _, of = kind.rpartition(" ")
    field = message.field.add(
        name=name, number=number, json_name=_json_name(name), label=1
    )
    if label == "oneof":
        if not message.oneof_decl:
            message.oneof_decl.add(name="http_response")
        field.oneof_index = 0
    if of == "map":
        of = f"{message.name}.{_add_map_entry(message, name)}"
    if label == "repeated" or kind == "map":
        field.label = _TYPES.LABEL_REPEATED
    if of in _SCALARS:
        field.type = _SCALARS[of]
        return
    field.type = _TYPES.TYPE_ENUM if of in _ENUMS else _TYPES.TYPE_MESSAGE
    field.type_name = f".{PACKAGE}.{of}"


def _add_map_entry(message: Any, name: str) -> str:
    """Add the nested message that a `map<string, string>` is on the wire."""
    entry = message.nested_type.add(
        name="".join(word.title() for word in name.split("_")) + "Entry"
    )
    entry.options.map_entry = True
    _add_field(entry, 1, "key", "string")
    _add_field(entry, 2, "value", "string")
    return str(entry.name)


def _json_name(name: str) -> str:
    """Convert snake_case to the lowerCamelCase of protobuf JSON."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(build_file_descriptor())


def get_message_class(name: str) -> Any:
    """Return the protobuf class of a message."""
    found = _POOL.FindMessageTypeByName(f"{PACKAGE}.{name}")
    return message_factory.GetMessageClass(found)


CheckRequest = get_message_class("CheckRequest")
CheckResponse = get_message_class("CheckResponse")
DeniedHttpResponse = get_message_class("DeniedHttpResponse")
HeaderValue = get_message_class("HeaderValue")
HeaderValueOption = get_message_class("HeaderValueOption")
HttpStatus = get_message_class("HttpStatus")
OkHttpResponse = get_message_class("OkHttpResponse")
Status = get_message_class("Status")
