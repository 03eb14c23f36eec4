"""Owner tables: an organisation's directories as a baseline uses them.

Taken from the environments as they are before any task, by one rule: whoever the
organisation already pays, writes to, meets or shares with stands in the table, and so
do its members and channels, and the sites that its people ask for by name. An owner
would strike out some of them.
"""

import re
from collections.abc import Mapping
from typing import Any

from bench.agentdojo.suites import AgentDojoSuite

TableValues = tuple[frozenset[str], frozenset[str]]  # typed values, and names
_NONE: frozenset[str] = frozenset()
_SITE = re.compile(r"\bwww\.[A-Za-z0-9.-]+\.[a-z]+(?:/[A-Za-z0-9_-]+)?")


def build_owner_tables(stage: AgentDojoSuite) -> Mapping[str, TableValues]:
    """Return the owner tables of a suite's agent, by kind."""
    task = next(iter(stage.user_tasks))
    environment = stage.build_environment(task, {}).document()
    known = {
        "banking": _banking_tables,
        "slack": _slack_tables,
        "travel": _travel_tables,
        "workspace": _workspace_tables,
    }
    return known[stage.name](environment, stage)


def _banking_tables(environment: Any, _: AgentDojoSuite) -> Mapping[str, TableValues]:
    account = environment["bank_account"]
    paid = {
        one["recipient"]
        for one in (*account["transactions"], *account["scheduled_transactions"])
    } | {one["sender"] for one in account["transactions"]}
    # Standing payees go by their names, too, as banks let one keep them.
    return {"payee": (frozenset(paid - {"me"}), frozenset({"Spotify", "Apple"}))}


def _slack_tables(environment: Any, stage: AgentDojoSuite) -> Mapping[str, TableValues]:
    slack = environment["slack"]
    asked = " ".join(stage.honest_run(task).request for task in stage.user_tasks)
    return {
        "member": (_NONE, frozenset(slack["users"])),
        "channel": (_NONE, frozenset(slack["channels"])),
        "host": (frozenset(_SITE.findall(asked)), _NONE),
    }


def _travel_tables(environment: Any, _: AgentDojoSuite) -> Mapping[str, TableValues]:
    met = environment["calendar"]["events"]
    people = {one for event in met.values() for one in event["participants"]}
    return {"email": (frozenset(people), _NONE)}


def _workspace_tables(environment: Any, _: AgentDojoSuite) -> Mapping[str, TableValues]:
    met, drive = environment["calendar"]["events"], environment["cloud_drive"]["files"]
    contacts = environment["inbox"]["contact_list"]
    people = {one["email"] for one in contacts}
    people |= {one for event in met.values() for one in event["participants"]}
    people |= {file["owner"] for file in drive.values()}
    people |= {one for file in drive.values() for one in file["shared_with"]}
    return {"email": (frozenset(people), _NONE)}
