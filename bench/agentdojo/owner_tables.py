"""Owner tables: an organisation's directories as a baseline uses them.

Taken from the environments as they are before any task, by one rule: whoever the
organisation already pays, writes to, meets or shares with stands in the table, and so
do its members and channels, and the sites that its people ask for by name. An owner
would strike out some of them.
"""

import re
from collections.abc import Mapping
from typing import Any

from bench.agentdojo.suites import Stage

Listed = tuple[frozenset[str], frozenset[str]]  # typed values, and names
_NONE: frozenset[str] = frozenset()
_SITE = re.compile(r"\bwww\.[A-Za-z0-9.-]+\.[a-z]+(?:/[A-Za-z0-9_-]+)?")


def directory(stage: Stage) -> Mapping[str, Listed]:
    """Return the owner tables of a suite's agent, by kind."""
    task = next(iter(stage.users))
    environment = stage.world(task, {}).document()
    known = {"banking": _bank, "slack": _team, "travel": _trip, "workspace": _office}
    return known[stage.name](environment, stage)


def _bank(environment: Any, _: Stage) -> Mapping[str, Listed]:
    account = environment["bank_account"]
    paid = {
        one["recipient"]
        for one in (*account["transactions"], *account["scheduled_transactions"])
    } | {one["sender"] for one in account["transactions"]}
    # Standing payees go by their names, too, as banks let one keep them.
    return {"payee": (frozenset(paid - {"me"}), frozenset({"Spotify", "Apple"}))}


def _team(environment: Any, stage: Stage) -> Mapping[str, Listed]:
    slack = environment["slack"]
    asked = " ".join(stage.honest(task).request for task in stage.users)
    return {
        "member": (_NONE, frozenset(slack["users"])),
        "channel": (_NONE, frozenset(slack["channels"])),
        "host": (frozenset(_SITE.findall(asked)), _NONE),
    }


def _trip(environment: Any, _: Stage) -> Mapping[str, Listed]:
    met = environment["calendar"]["events"]
    people = {one for event in met.values() for one in event["participants"]}
    return {"email": (frozenset(people), _NONE)}


def _office(environment: Any, _: Stage) -> Mapping[str, Listed]:
    met, drive = environment["calendar"]["events"], environment["cloud_drive"]["files"]
    contacts = environment["inbox"]["contact_list"]
    people = {one["email"] for one in contacts}
    people |= {one for event in met.values() for one in event["participants"]}
    people |= {file["owner"] for file in drive.values()}
    people |= {one for file in drive.values() for one in file["shared_with"]}
    return {"email": (frozenset(people), _NONE)}
