"""What the API's tests ask of: the sample estate, and a store whose agents have owners."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

import pytest

from answerable.model.ids import PersonId
from answerable.web.api.operation_table import OPERATIONS
from answerable.web.api.operations import PREFIX, ApiOperation
from answerable.web.routing import DocumentAnswer, RouteAnswer, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from tests.usecases.owned_store import create_owned_store
from tests.web.dispatcher_harness import DispatcherHarness, HarnessResponse
from tests.web.signing.owner_store import FrozenStoreCache, record_held_call

ASK = Callable[..., DocumentAnswer]


def operation(path: str, method: str = "GET") -> ApiOperation:
    return next(e for e in OPERATIONS if (e.path, e.method) == (path, method))


def ask(
    desk: StoreCache,
    visit: Visitor,
    path: str,
    held: frozenset[str] = frozenset(),
    **params: str,
) -> RouteAnswer:
    """Ask an operation, below HTTP; `owner_state` is sent as `owner-state`."""
    query = {name.replace("_", "-"): value for name, value in params.items()}
    return operation(path).handle(desk, visit, RouteRequest(query=query, etags=held))


def told(desk: StoreCache, visit: Visitor, path: str, **params: str) -> DocumentAnswer:
    answer = ask(desk, visit, path, **params)
    assert isinstance(answer, DocumentAnswer), answer
    return answer


def get(
    stage: DispatcherHarness, cookie: str, path: str, query: Mapping[str, str]
) -> HarnessResponse:
    """Ask over HTTP."""
    return stage.get(f"{PREFIX}{path}?{urlencode(query)}", cookie=cookie)


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StoreCache, str]]:
    """A desk on a store in which Ana and Ben own an agent each; Ana's was held back."""
    folder = tmp_path_factory.mktemp("owned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: None)
        patch.setattr("os.fdatasync", lambda handle: None)
        made = create_owned_store(folder / "made")
        shutil.copytree(made, folder / "store")
        desk = FrozenStoreCache(folder / "store", None, (folder / "spool",))
        decision = record_held_call(desk)
        yield desk, decision
        desk.close()


@pytest.fixture
def here(desk: StoreCache) -> DispatcherHarness:
    return DispatcherHarness(desk, person=PersonId("person:ana@corp.example"))


def folder_of(desk: StoreCache) -> Path:
    return desk.root
