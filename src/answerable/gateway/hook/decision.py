"""Decide a coding agent's tool call in its hook by the gateway's policy, and record it.

It uses the same configuration, rules, revocations and policy exceptions. A call that
cannot be decided or recorded is denied where the agent's mode enforces.
"""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors.config.parse.config_faults import ConfigError
from answerable.connectors.config.parse.config_file import ConfigReading
from answerable.gateway.hook import client_protocols
from answerable.gateway.hook.client_protocols import HookVerdict
from answerable.gateway.hook.hook_recorder import record_hook_decision
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.config import Config, UpstreamServer
from answerable.model.decision import (
    AuthorizationRequest,
    EnforcementMode,
    TargetKind,
)
from answerable.model.errors import UsageError
from answerable.model.spool_record import CallSummary
from answerable.server.authentication.agent_mapping import AgentMapping
from answerable.server.enforcement.settings import EnforcementSettings
from answerable.server.enforcement.single_decision import decide_once
from answerable.server.policy_loading import read_config_and_policies
from answerable.server.processes.parent_process import read_parent
from answerable.server.restart_only_settings import resolve_store_folder
from answerable.server.state_folders import gateway_state
from answerable.usecases.authorization.compile_policy import compile_decision_table

METHOD = "tools/call"


@dataclass(frozen=True, slots=True)
class HookContext:
    """Context of a hook: configuration, server and caller.

    Attributes:
        reading: Result of parsing the file, its faults included.
        server: Server that represents the client's tools.
        store: Folder of the store.
        caller: The agent, by the process that started the hook.
        mode: Mode of the agent.
    """

    config: Config
    reading: ConfigReading
    server: UpstreamServer
    store: Path
    caller: VerifiedCaller
    mode: EnforcementMode


def load_hook_context(
    config_path: str, client: str, store: Path | None, default_store: Path | None
) -> HookContext:
    """Read the configuration, and identify the agent that runs the hook.

    Args:
        config_path: Path of the configuration.
        client: Name of the client.
        store: Store named on the command line; None without one.
        default_store: Default store.

    Raises:
        ConfigError: Something in the file is invalid.
        UsageError: No server, or more than one, represents that client's tools.
        EnvironmentFailure: The file may not be read.
        ProcessGone: The process that started the hook has ended.
    """
    reading = read_config_and_policies(config_path, store, default_store)
    config = reading.config
    if config is None or not reading.is_valid_except_rules:
        raise ConfigError(config_path, reading.faults)
    servers = [each for each in config.servers if each.hook == client]
    if len(servers) != 1:
        raise UsageError(
            f"{len(servers)} servers of {config_path} have `hook: {client}` (expected one)",
            "see `servers.NAME.hook` in docs/configuration.md",
        )
    server = servers[0]
    caller = _identify_parent_process(config, server.name)
    agent = next((each for each in config.agents if each.id == caller.agent), None)
    return HookContext(
        config,
        reading,
        server,
        resolve_store_folder(config, store, default_store),
        caller,
        agent.mode if agent is not None else config.default_mode,
    )


def decide_tool_call(
    context: HookContext, tool_call: client_protocols.HookToolCall
) -> HookVerdict:
    """Decide on a tool call, and record the decision before it is returned.

    Raises:
        AnswerableError: It cannot be recorded, or the revocations cannot be read.
    """
    if not context.store.exists():
        from answerable.server.store_access import create_store

        create_store(context.store)  # before the spool, which may lie in it
    state = gateway_state(context.config, context.store)
    caller = context.caller
    request = AuthorizationRequest(
        agent=caller.agent,
        known=caller.known,
        server=context.server.name,
        action=METHOD,
        target=TargetKind.TOOL,
        name=tool_call.tool,
        run=caller.run,
        principal=caller.principal,
        arguments=tool_call.arguments,
    )
    table = compile_decision_table(context.config, context.reading.policies)
    settings = EnforcementSettings(table, context.config, context.store, state)
    decision = decide_once(settings, request)
    id = record_hook_decision(
        state / "spool",
        caller,
        _build_call_summary(context, tool_call),
        decision,
        time.time_ns(),
    )
    return HookVerdict(decision.passes, decision.effect, id)


def _build_call_summary(
    context: HookContext, tool_call: client_protocols.HookToolCall
) -> CallSummary:
    """Describe the tool call for its decision record."""
    return CallSummary(
        era=f"hook/{context.server.hook}",
        method=METHOD,
        server=context.server.name,
        target=TargetKind.TOOL,
        name=tool_call.tool,
        size=len(tool_call.arguments),
        arguments=hashlib.sha256(tool_call.arguments).hexdigest(),
    )


def _identify_parent_process(config: Config, server: str) -> VerifiedCaller:
    """Identify the agent by the attested process that started the hook."""
    peer = read_parent().peer
    principal = f"uid:{peer.uid}/stdio:{server}"
    agent, known = AgentMapping(config, frozenset()).find_by_parent(server, principal)
    return VerifiedCaller(
        agent=agent,
        known=known,
        person="",
        run=f"process:{peer.pid}/{peer.start}",
        shown=AuthenticationMethod.PARENT_PROCESS,
        principal=principal,
        token_sha256=b"",
        expires=0,
    )
