"""What the API's tests ask of: the sample estate, and a store whose agents have owners."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

import pytest

from answerable.model.ids import PersonId
from answerable.web.api.operation_table import OPERATIONS
from answerable.web.api.operations import PREFIX, Operation
from answerable.web.routing import Answer, Asked, Told
from answerable.web.store_cache import Desk
from answerable.web.visitor import Visit
from tests.usecases.owned_store import owned_store
from tests.web.dispatcher_harness import Answered, Stage
from tests.web.signing.owner_store import Stopped, held_back

ASK = Callable[..., Told]


def operation(path: str, method: str = "GET") -> Operation:
    return next(e for e in OPERATIONS if (e.path, e.method) == (path, method))


def ask(
    desk: Desk,
    visit: Visit,
    path: str,
    held: frozenset[str] = frozenset(),
    **params: str,
) -> Answer:
    """Ask an operation, below HTTP; `owner_state` is sent as `owner-state`."""
    query = {name.replace("_", "-"): value for name, value in params.items()}
    return operation(path).answer(desk, visit, Asked(query=query, held=held))


def told(desk: Desk, visit: Visit, path: str, **params: str) -> Told:
    answer = ask(desk, visit, path, **params)
    assert isinstance(answer, Told), answer
    return answer


def get(stage: Stage, cookie: str, path: str, query: Mapping[str, str]) -> Answered:
    """Ask over HTTP."""
    return stage.get(f"{PREFIX}{path}?{urlencode(query)}", cookie=cookie)


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, str]]:
    """A desk on a store in which Ana and Ben own an agent each; Ana's was held back."""
    folder = tmp_path_factory.mktemp("owned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: None)
        patch.setattr("os.fdatasync", lambda handle: None)
        made = owned_store(folder / "made")
        shutil.copytree(made, folder / "store")
        desk = Stopped(folder / "store", None, (folder / "spool",))
        decision = held_back(desk)
        yield desk, decision
        desk.close()


@pytest.fixture
def here(desk: Desk) -> Stage:
    return Stage(desk, person=PersonId("person:ana@corp.example"))


def folder_of(desk: Desk) -> Path:
    return desk.root
