"""Find the revocation (`kill`) that stops a request, in every mode.

| subject | written | stops |
|---|---|---|
| agent | `agent:KIND/...` | every call of it, and of its sub-agents |
| run | `run:RUN` | every call of one start of an agent |
| principal | `principal:PRINCIPAL` | every call of one caller |
| server | `server:NAME` | every call to it |
| tool | `tool:mcp/SERVER/TOOL` | every call of it |
| person | `person:...` | every call made for them; tokens issued to their agents |
| rule | `rule:ID` | tokens issued under it |
| issuer | `issuer:NAME` | tokens issued for its tokens from then on |
| credential | `cred:...` | every call for which its server would receive it |
| signing key | `key:KID` | every call with one of our tokens that it signed |

The token service enforces rules and owners: a gateway call names neither.
"""

from answerable.model.config import Config
from answerable.model.decision import AuthorizationRequest, TargetKind
from answerable.model.errors import IdError
from answerable.model.trust_rule import TrustRule

Revocations = frozenset[str]

NO_REVOCATIONS: Revocations = frozenset()

_KINDS = (
    "agent:",
    "run:",
    "principal:",
    "server:",
    "tool:mcp/",
    "person:",
    "rule:",
    "issuer:",
    "cred:",
    "key:",
)
_KEY = "key:"
_MAX = 5000
_MAX_SHOWN = 80  # letters of what is refused


def parse_revocation_subject(text: str) -> str:
    """Check that a text names what `kill` can revoke (`agent:...`), and return it.

    Raises:
        IdError: The kind is unknown, or the name is missing.
    """
    kind = next((kind for kind in _KINDS if text.startswith(kind)), "")
    named = text[len(kind) :]
    _, slash, tool = named.partition("/")
    whole = bool(slash and tool) if kind == "tool:mcp/" else bool(named)
    if not kind or not whole or len(text) > _MAX or not text.isprintable():
        is_name = text.isprintable() and 0 < len(text) < _MAX_SHOWN and ":" not in text
        raise IdError(
            f"not a subject that can be killed: {text[:_MAX_SHOWN]!r} (expected agent:..., "
            "run:..., principal:..., server:NAME, tool:mcp/SERVER/TOOL, person:..., "
            "rule:ID, issuer:NAME, cred:... or key:KID)",
            f"for an agent: agent:{text}"
            if is_name
            else "`answerable agents` shows such ids; so do `people` and `credentials`",
        )
    return text


def revoked_key_ids(revocations: Revocations) -> frozenset[str]:
    """Return the kid of each revoked signing key of our token service."""
    return frozenset(each[len(_KEY) :] for each in revocations if each.startswith(_KEY))


def is_undeclared_subject(subject: str, config: Config) -> bool:
    """Return whether a subject must be in the configuration file and is not.

    Runs, principals and inventory agents are not in the file, so they are never
    reported.
    """
    if subject.startswith("agent:declared/"):
        given = (each for rule in config.rules for each in _list_rule_agents(rule))
        return subject not in {*(agent.id for agent in config.agents), *given}
    kind, _, named = subject.partition(":")
    if kind == "rule":
        return named not in {each.id for each in config.rules}
    if kind == "issuer":
        return named not in {each.pin.name for each in config.issuers}
    if kind not in ("server", "tool"):
        return False
    server = named.removeprefix("mcp/").partition("/")[0] if kind == "tool" else named
    return server not in {each.name for each in config.servers}


def _list_rule_agents(rule: TrustRule) -> tuple[str, ...]:
    """Return the agent of a federation trust rule and those it delegates to."""
    return rule.agent, *rule.delegate_to


def find_revocation(revocations: Revocations, request: AuthorizationRequest) -> str:
    """Return the revocation that stops a request; empty if none does."""
    subjects = [
        request.agent,
        f"run:{request.run}",
        f"principal:{request.principal}",
        f"server:{request.server}",
    ]
    subjects += request.chain
    if request.identity:
        subjects.append(request.identity)
    if request.person:
        subjects.append(request.person)
    if request.target is TargetKind.TOOL:
        subjects.append(f"tool:mcp/{request.server}/{request.name}")
    return next((subject for subject in subjects if subject in revocations), "")
