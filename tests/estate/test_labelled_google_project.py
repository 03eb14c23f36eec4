"""A project with labelled weaknesses: every escalation is found, and no other.

The data are not part of this product (tests are skipped without them): the project of
iam-vulnerable (MIT), as gcloud prints it, with a label for each principal.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.estate.seven import Ask

PLACES = [
    each / "shared" / "data" / "gcp" / "iam-vulnerable"
    for each in Path(__file__).parents
]
FOLDER = next((each for each in PLACES if each.is_dir()), None)
pytestmark = pytest.mark.skipif(FOLDER is None, reason="the labelled data are absent")
TAKE_OVER = ("resourcemanager.projects.setIamPolicy", "projects/iamvuln-lab")
# The project as collected has no cluster: its authors create it by hand.
WITHOUT_TARGET = "privesc35-gkeGetCredentials"
OWNER = "privesc-high-priv-sa@iamvuln-lab.iam.gserviceaccount.com"
CLUSTER = {
    "name": "//container.googleapis.com/projects/iamvuln-lab/locations/l/clusters/c",
    "assetType": "container.googleapis.com/Cluster",
    "ancestors": ["projects/iamvuln-lab"],
    "resource": {"data": {"nodeConfig": {"serviceAccount": OWNER}}},
}


def list_labels() -> list[dict[str, Any]]:
    """List the labels of principals."""
    if FOLDER is None:
        return []
    lines = (FOLDER / "labels.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


LABELS = list_labels()


def name_of(label: dict[str, Any]) -> str:
    """Return the address of a labelled principal."""
    return str(label["principal"]).removeprefix("serviceAccount:")


def scan(root: Path, ask: Ask, *more: object) -> Path:
    """Scan the project, with further resources."""
    assert FOLDER is not None
    folder = root / "project"
    folder.mkdir()
    for path in FOLDER.glob("*.json"):
        shutil.copy(path, folder)
    if more:
        resources = json.loads((folder / "resources.json").read_text())
        (folder / "resources.json").write_text(json.dumps([*resources, *more]))
    store = root / "store"
    assert ask(store, "scan", f"gcp:{folder}").code == 0
    return store


@pytest.fixture(scope="module")
def folder_of_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labelled")


@pytest.fixture
def store(folder_of_module: Path, ask: Ask) -> Path:
    """Store of the project, scanned once."""
    place = folder_of_module / "store"
    return place if place.exists() else scan(folder_of_module, ask)


def list_reached(ask: Ask, store: Path, principal: str) -> set[str]:
    """List what a principal can become."""
    rows: Any = ask(store, "reach", principal).items
    return {hop["to"] for row in rows for hop in row["path"] or ()}


@pytest.mark.parametrize(
    "label",
    [each for each in LABELS if each["escalates"]],
    ids=lambda each: each["principal"].partition("@")[0].partition(":")[2],
)
def test_every_labelled_escalation_is_found_with_its_path(
    store: Path, ask: Ask, label: dict[str, Any]
) -> None:
    (taken,) = ask(store, "can", name_of(label), *TAKE_OVER).items
    assert taken["verdict"] in ("always", "only-if")
    assert taken["determining"]
    if label["scenario"] == WITHOUT_TARGET:
        keys = {"gcp:object-exists", "gcp:cluster-access"}
        assert list_condition_keys(taken) == keys
    target = label["target"]
    if target["kind"] == "service-account" and target["id"] != OWNER:
        assert target["id"] in list_reached(ask, store, name_of(label))


@pytest.mark.parametrize(
    "label",
    [each for each in LABELS if not each["escalates"]],
    ids=lambda each: each["principal"].partition("@")[0].partition(":")[2],
)
def test_what_is_no_escalation_is_none(
    store: Path, ask: Ask, label: dict[str, Any]
) -> None:
    (taken,) = ask(store, "can", name_of(label), *TAKE_OVER).items
    assert taken["verdict"] == "never"
    reached = list_reached(ask, store, name_of(label))
    assert not {each for each in reached if each.endswith("gserviceaccount.com")}
    if label["escalates"] is None:  # it reaches data
        rows: Any = ask(store, "reach", name_of(label)).items
        assert rows
        assert reached <= {row["resource"] for row in rows}


def list_condition_keys(item: Any) -> set[str]:
    """List the keys of the conditions of an answer."""
    return {e["key"] for each in item["conditions"] for e in each["all_of"]}


def test_credentials_of_a_known_cluster_need_no_further_one(
    tmp_path: Path, ask: Ask
) -> None:
    (label,) = (each for each in LABELS if each["scenario"] == WITHOUT_TARGET)
    store = scan(tmp_path, ask, CLUSTER)
    assert OWNER in list_reached(ask, store, name_of(label))
    (taken,) = ask(store, "can", name_of(label), *TAKE_OVER).items
    assert taken["verdict"] == "only-if"
    assert list_condition_keys(taken) == {"gcp:cluster-access"}
