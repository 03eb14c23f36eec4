"""`replay` on the sample trail equals an independent count of the same files."""

import gzip
import json
import time
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from answerable.baseline.access_replay import (
    ReplayedCall,
    replay_baseline_access,
    replay_standing_access,
    replay_timed_access,
)
from answerable.cli.main import main
from answerable.cli.sample.audit_log import build_log_files
from tests.baseline.replay_law import random_calls

INDICATORS = (
    "s3:GetObject=arn:aws:s3:::example-customer-data/*",
    "s3:PutObject=arn:aws:s3:::example-drop-zone/*",
    "iam:CreateRole",
)
Record = dict[str, Any]


PLACES = [each / "shared/data/cloud-audit" for each in Path(__file__).parents]
DATA = next((each for each in PLACES if each.is_dir()), PLACES[0])


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("replay")
    for name, data in build_log_files(time.time_ns()).items():
        (root / "trail").mkdir(exist_ok=True)
        (root / "trail" / name).write_bytes(data)
    store = ("--store", str(root / "store"), "-q")
    assert main(["ingest", f"cloudtrail:{root / 'trail'}", *store]) == 0
    return root


def records(root: Path) -> list[Record]:
    """Successful calls of the files, oldest first."""
    found: list[Record] = []
    for path in sorted((root / "trail").iterdir()):
        found += json.loads(gzip.decompress(path.read_bytes()))["Records"]
    found = [each for each in found if "errorCode" not in each]
    return sorted(found, key=moment)


def moment(record: Record) -> float:
    return datetime.fromisoformat(record["eventTime"]).timestamp()


def key_of(record: Record) -> str:
    who = record["userIdentity"]
    names = ("accessKeyId", "principalId", "arn", "invokedBy")
    return next((str(who[each]) for each in names if who.get(each)), "")


def is_harmful(record: Record) -> bool:
    service = record["eventSource"].partition(".")[0]
    name = f"{service}:{record['eventName']}"
    resources = [each["ARN"] for each in record.get("resources", ())]
    for text in INDICATORS:
        action, _, pattern = text.partition("=")
        if name == action and (
            not pattern or any(fnmatchcase(each, pattern) for each in resources)
        ):
            return True
    return False


def test_timed_and_standing_access_equal_a_count_of_the_files(
    trail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = replay(trail, capsys)
    calls = records(trail)
    split = (moment(calls[0]) + moment(calls[-1])) / 2
    recent = [each for each in calls if moment(each) >= split]
    harmful = [each for each in recent if is_harmful(each)]
    first_use: dict[str, float] = {}
    for each in recent:
        first_use.setdefault(key_of(each), moment(each))
    (standing,) = (each for each in items if each["access"] == "standing")
    assert (standing["allowed"], standing["unasked"]) == (len(recent),) * 2
    assert standing["harmful"] == len(harmful) > 50
    first = moment(harmful[0]) - first_use[key_of(harmful[0])]
    assert standing["first_harmful_s"] == first
    timed = [each for each in items if each["access"] == "timed"]
    assert [each["t_s"] for each in timed] == [
        60 * minutes for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 240, 480)
    ]
    for item in timed:
        live_until: dict[str, float] = {}
        asked = asked_harmful = 0
        for each in recent:
            if moment(each) >= live_until.get(key_of(each), 0):
                live_until[key_of(each)] = moment(each) + item["t_s"]
                asked += 1
                asked_harmful += is_harmful(each)
        assert item["requests"] == asked
        assert item["unasked"] == len(recent) - asked
        assert item["harmful"] == len(harmful)
        assert item["harmful_unasked"] == len(harmful) - asked_harmful
        assert item["live_s"] == asked * item["t_s"]


@pytest.mark.skipif(not DATA.is_dir(), reason="the data is not here")
@pytest.mark.parametrize(
    "folder", ["aws-invictus/CloudTrail", "aws-stratus/docs/detonation-logs"]
)
def test_replay_on_a_public_trail_equals_a_count_of_its_files(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The split is named; held calls lie between exact repetition and same action."""
    calls = public_records(DATA / folder)
    split = datetime.fromisoformat(calls[len(calls) // 2]["eventTime"]).timestamp()
    store = ("--store", str(tmp_path / "store"), "-q")
    assert main(["ingest", f"cloudtrail:{DATA / folder}", *store]) in (0, 3)
    until = datetime.fromtimestamp(split, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    items = replay(tmp_path, capsys, "--learn-until", until)
    past = [each for each in calls if moment(each) < split]
    recent = [each for each in calls if moment(each) >= split]
    assert past
    for item in items:
        assert item["allowed"] + item["refused"] == len(recent)
        if item["access"] == "timed":
            assert item["requests"] == count_requests(recent, item["t_s"])
    held = items[-1]["allowed"]
    exact = {(shape(each), parameters(each)) for each in past}
    actions = {shape(each)[:2] for each in past}
    assert sum((shape(each), parameters(each)) in exact for each in recent) <= held
    assert held <= sum(shape(each)[:2] in actions for each in recent)


def parameters(record: Record) -> str:
    return json.dumps(record.get("requestParameters"), sort_keys=True)


def public_records(folder: Path) -> list[Record]:
    """Successful calls of the files of a public trail, once each, oldest first."""
    found: dict[str, Record] = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        read = json.loads(path.read_text())
        for each in read["Records"] if isinstance(read, dict) else read:
            found[each["eventID"]] = each
    return sorted((r for r in found.values() if "errorCode" not in r), key=moment)


def count_requests(calls: list[Record], lifetime: int) -> int:
    """Count the calls at which a credential is not live."""
    live_until: dict[str, float] = {}
    asked = 0
    for each in calls:
        if moment(each) >= live_until.get(key_of(each), 0):
            live_until[key_of(each)] = moment(each) + lifetime
            asked += 1
    return asked


def test_a_baseline_lets_happen_what_the_files_held_before(
    trail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (held,) = (each for each in replay(trail, capsys) if each["access"] == "baseline")
    calls = records(trail)
    split = (moment(calls[0]) + moment(calls[-1])) / 2
    known = {shape(each) for each in calls if moment(each) < split}
    recent = [each for each in calls if moment(each) >= split]
    allowed = [each for each in recent if shape(each) in known]
    assert held["allowed"] == len(allowed)
    assert held["refused"] == len(recent) - len(allowed)
    assert held["harmful"] == sum(map(is_harmful, allowed))


def shape(record: Record) -> tuple[str, str, str]:
    """Identity, call and bucket of a record: what the sample's names generalise to."""
    who = record["userIdentity"]
    issuer = who.get("sessionContext", {}).get("sessionIssuer", {})
    named = [each["ARN"].partition("/")[0] for each in record.get("resources", ())]
    if record["eventSource"] != "s3.amazonaws.com":
        named = [each["ARN"] for each in record.get("resources", ())]
    identity = issuer.get("arn") or who.get("arn") or who.get("principalId") or ""
    return identity, record["eventName"], " ".join(named)


def replay(
    root: Path, capsys: pytest.CaptureFixture[str], *words: str
) -> list[dict[str, Any]]:
    flags = [word for each in INDICATORS for word in ("--indicator", each)]
    capsys.readouterr()
    done = main(
        ["replay", *flags, *words, "-o", "json", "--store", f"{root / 'store'}"]
    )
    assert done == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["items"]
    return found


def test_the_curve_is_an_svg_file_and_lifetimes_can_be_named(
    trail: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "curve.svg"
    items = replay(trail, capsys, "--timed", "15m", "--svg", str(file))
    assert [each["t_s"] for each in items] == [None, 900, None]
    drawn = ET.parse(file).getroot()  # noqa: S314 - our own file
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    text = file.read_text()
    assert "Harmful calls that happen without a new request" in text
    assert f"standing access: {items[0]['harmful']}" in text


def test_a_log_without_an_earlier_part_is_refused(
    trail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--store", str(trail / "store"))
    for start in ("2020-01-01", "1970-01-01"):
        assert main(["replay", "--learn-until", start, *store]) == 2
        assert f"no record is before {start}" in capsys.readouterr().err
    capsys.readouterr()
    for window in ("--since=2999-01-01", "--until=2001-01-01"):
        assert main(["replay", window, *store]) == 2
        assert "hint: the log has calls from " in capsys.readouterr().err
    empty = ("--since=2026-02-01", "--until=2026-01-01")
    assert main(["replay", *empty, *store]) == 2
    assert "--until is not after --since" in capsys.readouterr().err
    for text in ("delete", "s3:\x1b[31m*"):
        assert main(["replay", "--indicator", text, *store]) == 2
        assert "not an indicator" in capsys.readouterr().err
    assert main(["replay", "--svg", "", *store]) == 2


def test_laws_of_a_replay() -> None:
    """Longer access never asks more, and no timer lets less happen than standing access."""
    for calls in random_calls(200):
        end = calls[-1].at
        standing = replay_standing_access(calls, end)
        held = replay_baseline_access(calls, end)
        assert held.allowed + held.refused == standing.allowed == len(calls)
        before = len(calls) + 1
        for lifetime in (1, 5, 20, 10**9):
            timed = replay_timed_access(calls, lifetime)
            assert (timed.allowed, timed.actions, timed.resources, timed.harmful) == (
                standing.allowed,
                standing.actions,
                standing.resources,
                standing.harmful,
            )
            assert timed.unasked + timed.requests == len(calls)
            assert timed.first_harmful == standing.first_harmful
            assert timed.requests <= before
            before = timed.requests
        assert before == len({call.credential for call in calls})


def test_the_example_of_the_documentation() -> None:
    at = [
        ReplayedCall(second, "K", "a:B", ("r",), False, True, second == 70)
        for second in (0, 30, 70, 71)
    ]
    timed = replay_timed_access(at, 60)
    assert (timed.requests, timed.unasked, timed.harmful_unasked) == (2, 2, 0)


def test_harm_that_no_record_shows_is_not_known(
    trail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["replay", "--indicator", "s3:NotRecorded", "--store", f"{trail / 'store'}"]
    capsys.readouterr()
    assert main([*words, "-o", "table"]) == 3
    printed = " ".join(capsys.readouterr().err.split())
    assert "no recorded call matches the indicators" in printed
    for more, code in (((), 3), (("--indicator", "*:*"), 0)):
        assert main([*words, *more, "-o", "json"]) == code
        found = json.loads(capsys.readouterr().out)
        harmful = {each["harmful"] for each in found["items"]}
        assert (None in harmful) == (code == 3)
        assert "no recorded call matches s3:NotRecorded" in found["coverage"]["seen"]
