"""`tools diff` and `tools approve`, as a person at a terminal uses them."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from answerable.authorization.pins.canonical_definitions import (
    build_canonical_definition,
)
from answerable.authorization.pins.lookalikes import NameIndex
from answerable.authorization.pins.pin_comparison import (
    ObservedList,
    apply_approval,
    compare_identity_with_pin,
    compare_list_with_pins,
    select_items_for_approval,
)
from answerable.cli.main import main
from answerable.model.definition_pin import DefinitionKind, PinningMode, ServerPins
from answerable.model.owner_signing_key import StatementType
from answerable.server.pins.pin_files import PinFiles
from answerable.services.statements import owner_keys
from answerable.store.store import EvidenceStore

ANA, BEN, PHRASE = "ana@corp.example", "ben@corp.example", "correct horse battery"
HOSTILE = "reads \u202eevil\x1b[2J\r\n=cmd()"
CONFIG = {
    "store": "store",
    "servers": {
        "files": {"url": "http://127.0.0.1:1/mcp"},
        "mail": {"url": "http://127.0.0.1:2/mcp"},
    },
    "agents": {"desk": {"owner": ANA, "allow": [{"server": "files", "tools": ["*"]}]}},
}
Run = Callable[..., tuple[int, str, str]]


def tools(*names: str, **more: Any) -> ObservedList:
    found = [
        build_canonical_definition(
            DefinitionKind.TOOL, name, json.dumps({"name": name} | more).encode()
        )
        for name in names
    ]
    return ObservedList(DefinitionKind.TOOL, tuple(found))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store, and a gateway's pins in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ANSWERABLE_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(
        "answerable.server.processes.ancestors.refuse_agent_ancestors",
        lambda runs: None,
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "answerable.yaml").write_text(json.dumps(CONFIG))
    phrase = tmp_path / "phrase"
    phrase.write_text(PHRASE + "\n")
    phrase.chmod(0o600)
    EvidenceStore.open(tmp_path / "store", now=1).close()
    see(tmp_path, "files", tools("read", "write"), tools("read", description=HOSTILE))
    see(tmp_path, "mail", tools("send_mail", "reed", title="t"))
    return tmp_path


def see(folder: Path, server: str, *listed: ObservedList) -> ServerPins:
    def change(pins: ServerPins) -> ServerPins:
        for each in listed:
            pins = compare_list_with_pins(
                pins,
                each,
                server=server,
                pinning=PinningMode.FIRST_USE,
                now=1,
                names=NameIndex(),
            )
        return pins

    return PinFiles(folder / "store" / "gateway").change_pins(server, change)


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def said(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return said


def key_of(run: Run, person: str) -> str:
    """Make and enroll a key; its file."""
    words = ("--person", person, "--passphrase-file", "phrase", "-o", "json")
    new = json.loads(run("owner-keys", "new", *words)[1])["items"][0]
    code, _, err = run("owner-keys", "enroll", new["public_file"], "--person", person)
    assert code == 0, err
    return str(new["key_file"])


def approve(run: Run, key: str, *words: str) -> tuple[int, str, str]:
    given = ("--config", "answerable.yaml", "--key", key, "--passphrase-file", "phrase")
    return run("tools", "approve", *words, *given)


def items(run: Run, *words: str) -> dict[str, dict[str, Any]]:
    code, out, err = run("tools", "diff", *words, "-o", "json")
    assert code == 0, err
    return {each["id"]: each for each in json.loads(out)["items"]}


def test_the_list_is_there_as_before_with_its_options(run: Run) -> None:
    assert run("tools", "-o", "json", "--kind", "mcp")[0] == 0
    assert run("-o", "json", "tools")[1].startswith('{"schema": "answerable/tools/v1"')


def test_what_changed_is_shown_field_by_field(run: Run) -> None:
    found = items(run)
    changed = found["tool:mcp/files/read"]
    assert (changed["state"], changed["quarantined"]) == ("changed", True)
    (difference,) = changed["differences"]
    assert difference["field"] == "description"
    assert difference["pinned"] is None
    assert json.loads(difference["seen"]) == HOSTILE
    assert changed["alike"] == [{"how": "near", "id": "tool:mcp/mail/reed"}]
    assert "tool:mcp/files/write" not in found
    assert items(run, "--all")["tool:mcp/files/write"]["state"] == "pinned"


def test_a_hostile_description_does_nothing_on_any_screen(run: Run) -> None:
    for form in ("table", "json", "ndjson", "csv"):
        code, out, _ = run("tools", "diff", "-o", form)
        assert code == 0
        assert out.isascii()
        assert not {"\x1b", "\r"} & set(out)
    (_, *rows) = csv.reader(io.StringIO(run("tools", "diff", "-o", "csv")[1]))
    assert not [cell for row in rows for cell in row if cell.startswith("=")]


def test_a_hostile_name_does_nothing_on_any_screen(run: Run, folder: Path) -> None:
    see(folder, "files", tools("\x1b[2J\u202eread", "=cmd()"))
    for form in ("table", "json", "ndjson", "csv"):
        out = run("tools", "diff", "--all", "-o", form)[1]
        assert not {"\x1b", "\u202e"} & set(out)
    code, _, err = approve(run, key_of(run, ANA), "files")
    assert code == 0
    assert not {"\x1b", "\u202e"} & set(err)


def test_a_person_approves_and_the_log_holds_their_word(run: Run, folder: Path) -> None:
    key = key_of(run, ANA)
    code, out, err = approve(run, key, "files", "read", "-o", "json")
    assert code == 0, err
    assert "description" in err  # what is signed is shown
    (item,) = json.loads(out)["items"]
    assert (item["id"], item["person"]) == ("tool:mcp/files/read", f"person:{ANA}")
    pins = PinFiles(folder / "store" / "gateway").read_pins("files")
    assert pins.seen == {}
    pin = pins.items["tool:read"]
    assert pin.approval is not None
    assert pin.definition.sha256 == item["sha256"]
    with EvidenceStore.open(folder / "store", now=2) as store:
        (logged,) = store.list_objects("tools-approval")
        envelope = store.get_object(logged.digest)
        verified = owner_keys.verify_new_statement(store, envelope, logged.at)
    assert verified.digest == item["statement"] == pin.approval.statement
    assert verified.statement.type is StatementType.TOOLS_APPROVAL
    assert verified.statement.claims == (("tool:mcp/files/read", item["sha256"]),)
    held = items(run, "files", "--all")["tool:mcp/files/read"]
    assert held["state"] == "approved"
    assert held["pinned"]["person"] == f"person:{ANA}"


def test_an_approval_that_nobody_signed_is_told(run: Run, folder: Path) -> None:
    assert approve(run, key_of(run, ANA), "files")[0] == 0
    assert run("tools", "diff", "files")[0] == 0
    files = PinFiles(folder / "store" / "gateway")

    def forged(pins: ServerPins) -> ServerPins:
        seen = compare_list_with_pins(
            pins,
            tools("read", description="sends it away"),
            server="files",
            pinning=PinningMode.FIRST_USE,
            now=3,
        )
        word = pins.items["tool:read"].approval
        assert word is not None
        return apply_approval(seen, select_items_for_approval(seen, ["read"]), word)

    files.change_pins("files", forged)
    code, out, _ = run("tools", "diff", "files")
    assert code == 1
    assert "tool:mcp/files/read unproven, passes" in out
    assert "no such approval in the log" in " ".join(out.split())


def test_what_is_pinned_can_be_kept_instead(run: Run, folder: Path) -> None:
    files = PinFiles(folder / "store" / "gateway")
    before = files.read_pins("files").items["tool:read"].definition
    assert approve(run, key_of(run, ANA), "files", "--as-pinned")[0] == 0
    pins = files.read_pins("files")
    assert pins.seen == {}
    assert pins.items["tool:read"].definition == before


def test_another_server_is_approved_with_all_that_waits(run: Run, folder: Path) -> None:
    files = PinFiles(folder / "store" / "gateway")
    for at, identity in enumerate(("key 1", "key 2")):
        files.change_pins(
            "files",
            lambda pins, at=at, identity=identity: compare_identity_with_pin(
                pins, identity, pinning=PinningMode.FIRST_USE, now=at
            ),
        )
    another = items(run)["server:files"]
    assert another["state"] == "another-server"
    assert another["differences"][0]["seen"] == "key 2"
    assert approve(run, key_of(run, ANA), "files")[0] == 0
    pins = files.read_pins("files")
    assert not pins.has_identity_changed
    assert [each.identity for each in pins.servers] == ["key 1", "key 2"]
    assert not items(run, "files")["tool:mcp/files/read"]["quarantined"]


def test_whoever_answers_for_no_agent_that_uses_the_server_may_not(
    run: Run, folder: Path
) -> None:
    key = key_of(run, BEN)
    code, _, err = approve(run, key, "files")
    assert code == 1
    assert ANA in err.splitlines()[-2]
    assert PinFiles(folder / "store" / "gateway").read_pins("files").seen
    with EvidenceStore.open(folder / "store", now=2) as store:
        assert store.list_objects("tools-approval") == ()
    # No agent of the file uses this one, so that anybody enrolled may.
    assert approve(run, key, "mail")[0] == 0


def test_a_key_that_is_revoked_or_unknown_approves_nothing(
    run: Run, folder: Path
) -> None:
    key = key_of(run, ANA)
    name = json.loads(run("owner-keys", "list", "-o", "json")[1])["items"][0]["id"]
    assert run("owner-keys", "revoke", name)[0] == 0
    code, _, err = approve(run, key, "files")
    assert code == 1
    assert "is revoked" in err
    assert PinFiles(folder / "store" / "gateway").read_pins("files").seen


def test_no_agent_may_approve(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_of(run, ANA)
    monkeypatch.undo()
    monkeypatch.setenv("ANSWERABLE_RUN", "run-1")
    monkeypatch.chdir(folder)
    code, _, err = approve(run, key, "files")
    assert (code, "only a person may do this" in err) == (5, True)


def test_what_changes_while_a_person_looks_is_not_approved(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_of(run, ANA)

    def asked(file: str) -> str:
        see(folder, "files", tools("read", description="something else"))
        return PHRASE

    monkeypatch.setattr("answerable.cli.signing.read_passphrase", asked)
    code, _, err = approve(run, key, "files")
    assert code == 2
    assert "changed after they were shown" in err
    with EvidenceStore.open(folder / "store", now=2) as store:
        assert store.list_objects("tools-approval") == ()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nowhere",), "no definitions are pinned for this server"),
        (("files", "nothing"), "has no tool or prompt of that name"),
    ],
)
def test_what_is_not_there_is_named(run: Run, words: Any, says: str) -> None:
    code, _, err = approve(run, key_of(run, ANA), *words)
    assert code == 2
    assert says in err


def test_pins_that_cannot_be_read_are_told(run: Run, folder: Path) -> None:
    PinFiles(folder / "store" / "gateway").pin_file_path("files").write_bytes(b"{}")
    code, _, err = run("tools", "diff")
    assert code == 5
    assert "contains no pins of files" in err


POLICY = """
@id("small")
permit(principal, action == Action::"tools/call", resource == Tool::"tool:mcp/files/pay")
when { context.arguments has amount && context.arguments.amount < 5 };
"""


def test_what_policies_an_approval_makes_wrong_is_told_before_it_is_signed(
    run: Run, folder: Path
) -> None:
    (folder / "small.cedar").write_text(POLICY)
    config = json.dumps(CONFIG | {"policy": ["small.cedar"]})
    (folder / "answerable.yaml").write_text(config)
    schema = {"type": "object", "properties": {"amount": {"type": "string"}}}
    see(folder, "files", tools("pay", inputSchema=schema))
    code, _, err = approve(run, "no.pem", "files", "pay")
    assert code != 0
    assert "warning: after this approval" in err
    assert "small.cedar:2:1: policy[small]" in err
