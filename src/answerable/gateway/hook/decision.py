"""Decision of `hook` on one tool call of a client, as by the gateway, and its record.

It uses the same configuration, rules, revocations and policy exceptions. A call that
cannot be decided or recorded is denied where the agent's mode enforces.
"""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from answerable.authorization.exception_validity import standing
from answerable.authorization.policy_exceptions import BY_TWO
from answerable.connectors.config.parse.config_faults import ConfigError
from answerable.connectors.config.parse.config_file import Reading
from answerable.gateway.hook import client_protocols
from answerable.gateway.hook.client_protocols import Verdict
from answerable.gateway.hook.hook_recorder import record
from answerable.model.caller import Caller, Shown
from answerable.model.config import Config, Server
from answerable.model.decision import Decision, Effect, Mode, Request, Target
from answerable.model.errors import AnswerableError, UsageError
from answerable.model.spool_record import Act
from answerable.server.authentication.agent_mapping import Agents
from answerable.server.policy_reading import read_decided
from answerable.server.processes.parent_process import read_parent
from answerable.server.reloadable_plan import store_of
from answerable.server.revocation_list import KillList
from answerable.server.state_folders import gateway_state
from answerable.usecases.authorization.authorize import Authority
from answerable.usecases.authorization.compile_policy import table_of

METHOD = "tools/call"


@dataclass(frozen=True, slots=True)
class Asked:
    """Context of a hook: configuration, server and caller.

    Attributes:
        reading: Result of parsing the file, its faults included.
        server: Server that represents the client's tools.
        store: Folder of the store.
        caller: The agent, by the process that started the hook.
        mode: Mode of the agent.
    """

    config: Config
    reading: Reading
    server: Server
    store: Path
    caller: Caller
    mode: Mode


def prepare(place: str, client: str, store: Path | None, usual: Path | None) -> Asked:
    """Read the configuration, and identify the agent of a hook.

    Args:
        place: Path of the configuration.
        client: Name of the client.
        store: Store named on the command line; None without one.
        usual: Default store.

    Raises:
        ConfigError: Something in the file is invalid.
        UsageError: No server, or more than one, represents that client's tools.
        EnvironmentRefused: The file may not be read.
        ProcessGone: The process that started the hook has ended.
    """
    reading = read_decided(place, store, usual)
    config = reading.config
    if config is None or not reading.holds_policy:
        raise ConfigError(place, reading.faults)
    servers = [each for each in config.servers if each.hook == client]
    if len(servers) != 1:
        raise UsageError(
            f"{len(servers)} servers of {place} have `hook: {client}` (expected one)",
            "see `servers.NAME.hook` in docs/configuration.md",
        )
    server = servers[0]
    caller = _caller(config, server.name)
    agent = next((each for each in config.agents if each.id == caller.agent), None)
    return Asked(
        config,
        reading,
        server,
        store_of(config, store, usual),
        caller,
        agent.mode if agent is not None else config.default_mode,
    )


def decide(asked: Asked, act: client_protocols.Act) -> Verdict:
    """Decide on a tool call, and record the decision before it is returned.

    Raises:
        AnswerableError: It cannot be recorded, or the revocations cannot be read.
    """
    if not asked.store.exists():
        from answerable.server.store_access import make_store

        make_store(asked.store)  # before the spool, which may lie in it
    state = gateway_state(asked.config, asked.store)
    authority = Authority(table_of(asked.config, asked.reading.policies))
    authority.set_kills(KillList(asked.store, state).read())
    caller = asked.caller
    request = Request(
        agent=caller.agent,
        known=caller.known,
        server=asked.server.name,
        action=METHOD,
        target=Target.TOOL,
        name=act.tool,
        run=caller.run,
        principal=caller.principal,
        arguments=act.arguments,
    )
    decision = authority.authorize(request)
    if decision.effect is not Effect.ALLOW and decision.reason in BY_TWO:
        decision = _amended(asked, authority, request, decision)
    id = record(
        state / "spool",
        caller,
        _act(asked, act),
        decision,
        time.time_ns(),
    )
    return Verdict(decision.passes, decision.effect, id)


def _amended(
    asked: Asked, authority: Authority, request: Request, decision: Decision
) -> Decision:
    """Apply policy exceptions; only now, since that opens the store."""
    from answerable.services.statements.policy_exceptions import held
    from answerable.store.store import Store

    if not asked.store.is_dir():
        return decision
    now = time.time_ns()
    try:
        with Store.open(asked.store, now=now, create=False) as store:
            authority.set_amendments(standing(held(store, now).standing))
    except AnswerableError:
        return decision
    return authority.authorize(request)


def _act(asked: Asked, act: client_protocols.Act) -> Act:
    return Act(
        era=f"hook/{asked.server.hook}",
        method=METHOD,
        server=asked.server.name,
        target=Target.TOOL,
        name=act.tool,
        size=len(act.arguments),
        arguments=hashlib.sha256(act.arguments).hexdigest(),
    )


def _caller(config: Config, server: str) -> Caller:
    peer = read_parent().peer
    principal = f"uid:{peer.uid}/stdio:{server}"
    agent, known = Agents(config, frozenset()).of_parent(server, principal)
    return Caller(
        agent=agent,
        known=known,
        person="",
        run=f"process:{peer.pid}/{peer.start}",
        shown=Shown.PARENT_PROCESS,
        principal=principal,
        token_sha256=b"",
        expires=0,
    )
