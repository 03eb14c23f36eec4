"""The `.proto` of Envoy's external authorization, and the messages built from it."""

import re
from pathlib import Path

from google.protobuf import descriptor_pb2

from answerable.pdp.envoy import ext_authz_proto as proto

Field = tuple[int, str, str]
_FIELD = re.compile(r" +(repeated )?(map<string, string>|\w+) (\w+) = (\d+);")


def written(text: str) -> dict[str, set[Field]]:
    """Message or enum -> its members, as the .proto spells them."""
    found: dict[str, set[Field]] = {}
    for line in text.splitlines():
        if opened := re.fullmatch(r"(?:message|enum) (\w+) \{", line):
            members = found[opened[1]] = set()
        elif field := _FIELD.fullmatch(line):
            repeated, kind, name, number = field.groups()
            members.add((int(number), name, (repeated or "") + kind))
        elif value := re.fullmatch(r" +(\w+) = (\d+);", line):
            members.add((int(value[2]), value[1], ""))
    return found


def built(file: descriptor_pb2.FileDescriptorProto) -> dict[str, set[Field]]:
    found: dict[str, set[Field]] = {}
    for message in file.message_type:
        found[message.name] = {
            (field.number, field.name, spelled(field)) for field in message.field
        }
    for enum in file.enum_type:
        found[enum.name] = {(value.number, value.name, "") for value in enum.value}
    return found


def spelled(field: descriptor_pb2.FieldDescriptorProto) -> str:
    kind = field.type_name.rpartition(".")[2]
    if kind.endswith("Entry"):
        return "map<string, string>"
    scalar = descriptor_pb2.FieldDescriptorProto.Type.Name(field.type)
    kind = kind or scalar.removeprefix("TYPE_").lower()
    return ("repeated " if field.label == field.LABEL_REPEATED else "") + kind


def test_the_messages_are_those_of_the_proto(root: Path) -> None:
    text = (root / "src/answerable/pdp/envoy/ext_authz.proto").read_text()
    members = written(text)
    assert members == built(proto.build_file_descriptor())
    assert len(members) == 15
    assert f"package {proto.PACKAGE};" in text


def test_fields_that_are_not_listed_survive_a_round_trip() -> None:
    # AttributeContext.destination (2), with Peer.principal (4), as Envoy sends it.
    sent = bytes.fromhex("0a06120422026162")
    request = proto.CheckRequest.FromString(sent)
    assert not request.attributes.HasField("source")
    assert request.SerializeToString() == sent


def test_any_http_status_is_a_value() -> None:
    for status in (200, 403, 429, 503):
        made = proto.HttpStatus(code=status)
        assert proto.HttpStatus.FromString(made.SerializeToString()).code == status


def test_an_answer_is_of_one_kind() -> None:
    answer = proto.CheckResponse(ok_response=proto.OkHttpResponse())
    answer.denied_response.status.code = 403
    assert not answer.HasField("ok_response")
