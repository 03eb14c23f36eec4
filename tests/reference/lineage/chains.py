"""Reference stitching: the chain of one key at one time, by linear search.

It walks and searches lists for one event at one moment, and shares no code with the
fast version but the nouns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from answerable.lineage.chain_stitching_types import (
    MAX_CHAIN_LENGTH,
    SignIn,
    SourcedChainKey,
)
from answerable.model.lineage import (
    ChainKey,
    CredentialIssuance,
    DeclaredUse,
    HopStatus,
    LineageChain,
)

Told = tuple[str, HopStatus]  # a hop's value and status


def derive_chain(
    joint: SourcedChainKey,
    at: int,
    issuances: Sequence[CredentialIssuance],
    declared: Sequence[DeclaredUse],
    sign_ins: Sequence[SignIn],
    parents: Mapping[str, str],
) -> dict[str, object]:
    """Derive the expected chain, without the wording of its sources."""
    if not joint.believed:
        gap = ("", HopStatus.MISSING)
        return _said(gap, gap, (), gap, gap, gap, (), (), 0, 0)
    walked, maker, cut = _walk(joint.key, issuances)
    issued = _issuance(joint.key.credential, issuances)
    told_of = _list_agent_issuances(joint.key, walked, issuances)
    if not walked[0].identity and issued and not cut and not joint.key.agent:
        key = walked[0]
        walked = [replace(key, identity=issued.identity), *walked[1:]]
    agent, tool = _agent(walked, at, declared, parents)
    if joint.key.agent:
        agent = (joint.key.agent, HopStatus.OBSERVED)
        known = HopStatus.OBSERVED if joint.key.tool else HopStatus.MISSING
        tool = (joint.key.tool, known)
    elif told_of:
        agent = (told_of[0].chain[-1], HopStatus.OBSERVED)
        tool = ("", HopStatus.MISSING)
    line = [agent[0]] if agent[0] else []
    while line and line[-1] in parents and parents[line[-1]] not in [*line, ""]:
        line.append(parents[line[-1]])
    path = tuple(reversed(line))
    for told in reversed(told_of):
        if told.chain[-1] == agent[0]:
            path = told.chain
    person = _person(walked, maker, agent, at, declared, sign_ins, issuances)
    owners = [told.owner for told in told_of if told.owner]
    if owners and not any(k.person for k in walked):
        person = (owners[0], HopStatus.OBSERVED)
    names = [k.identity for k in reversed(walked) if k.identity]
    distinct = [n for at_, n in enumerate(names) if at_ == 0 or names[at_ - 1] != n]
    acting = walked[0].identity
    owner = _use(acting, at, declared)
    return _said(
        person,
        agent,
        path,
        tool,
        (acting, HopStatus.OBSERVED if acting else HopStatus.MISSING),
        _owner(owner),
        tuple(distinct),
        tuple(k.credential for k in reversed(walked) if k.credential),
        issued.at if issued else 0,
        issued.until if issued else 0,
    )


def summarise_chain(chain: LineageChain) -> dict[str, object]:
    """Give the same of a chain."""
    return _said(
        (chain.person.value, chain.person.status),
        (chain.agent.value, chain.agent.status),
        chain.agent_path,
        (chain.tool.value, chain.tool.status),
        (chain.identity.value, chain.identity.status),
        (chain.identity_owner.value, chain.identity_owner.status),
        chain.identity_path,
        chain.credential_path,
        chain.credential_from,
        chain.credential_to,
    )


def _said(*parts: object) -> dict[str, object]:
    names = (
        "person agent agent_path tool identity identity_owner identity_path "
        "credential_path credential_from credential_to"
    )
    return dict(zip(names.split(), parts, strict=True))


def _issuance(
    credential: str, issuances: Sequence[CredentialIssuance]
) -> CredentialIssuance | None:
    if not credential:
        return None
    fit = [i for i in issuances if i.credential == credential]
    for wanted in ("person", "credential", "identity"):
        telling = [i for i in fit if getattr(i.parent, wanted)]
        fit = telling or fit
    order = [
        (
            i.at,
            i.event,
            i.parent.identity,
            i.parent.credential,
            i.parent.person,
            i.identity,
            i.until,
            i.source,
            i.chain,
            i.owner,
        )
        for i in fit
    ]
    return fit[order.index(min(order))] if fit else None


def _walk(
    key: ChainKey, issuances: Sequence[CredentialIssuance]
) -> tuple[list[ChainKey], CredentialIssuance | None, bool]:
    walked = [key]
    while True:
        issued = _issuance(walked[-1].credential, issuances)
        if issued is None or issued.credential.startswith("cred:aws/AKIA"):
            return walked, issued, False
        known = {k.credential for k in walked if k.credential}
        if len(walked) == MAX_CHAIN_LENGTH or issued.parent.credential in known:
            return walked, None, True
        walked.append(issued.parent)


def _list_agent_issuances(
    key: ChainKey, walked: Sequence[ChainKey], issuances: Sequence[CredentialIssuance]
) -> list[CredentialIssuance]:
    """List the issuances that name the agents of a chain: own, on the way, of the run."""
    named = [i for i in issuances if i.chain]
    named.sort(key=lambda i: (i.at, i.event, i.chain, i.owner))
    named = [i for i in named if i.owner] + [i for i in named if not i.owner]
    own = [
        i
        for i in named
        if i.chain[-1] == key.agent and replace(i.parent, session=key.session) == key
    ]
    way = [_issuance(step.credential, issuances) for step in walked]
    way = [i for i in way if i and not i.credential.startswith("cred:aws/AKIA")]
    way = [
        next((n for n in named if n.credential == i.credential), i)
        if i and not i.chain
        else i
        for i in way
    ]
    same = [
        i
        for i in named
        if key.run and i.parent.run == key.run and key.agent in ("", i.chain[-1])
    ]
    return [*own[:1], *(i for i in way if i and i.chain), *same[:1]]


def _use(subject: str, at: int, declared: Sequence[DeclaredUse]) -> DeclaredUse | None:
    standing = [
        u for u in declared if u.subject == subject and u.valid_from <= at < u.valid_to
    ]
    standing.sort(
        key=lambda u: (u.valid_from, u.source, u.person, u.agents, u.tools, u.hindsight)
    )
    return standing[-1] if standing and subject else None


def _owner(use: DeclaredUse | None) -> Told:
    if use is None or not use.person:
        return "", HopStatus.MISSING
    return use.person, HopStatus.INFERRED if use.hindsight else HopStatus.DECLARED


def _person(
    walked: Sequence[ChainKey],
    maker: CredentialIssuance | None,
    agent: Told,
    at: int,
    declared: Sequence[DeclaredUse],
    sign_ins: Sequence[SignIn],
    issuances: Sequence[CredentialIssuance],
) -> Told:
    for key in walked:
        if key.person:
            return key.person, HopStatus.OBSERVED
    near = [s for k in walked for s in (k.credential, k.identity) if s]
    for subject in near:
        session = subject.startswith("cred:") and "AKIA" not in subject
        for person in _signed_in(subject, sign_ins) if session else ():
            return person, HopStatus.INFERRED
    for subject in [agent[0], *near]:
        person, status = _owner(_use(subject, at, declared))
        if person and subject == agent[0] and agent[1] is HopStatus.INFERRED:
            return person, HopStatus.INFERRED
        if person and ":role/" not in subject:
            return person, status
    behind = _behind(maker, issuances) if maker else ""
    if behind:
        last = [behind]
    else:
        last = []
        if maker:
            made_by = [maker.parent.credential, maker.parent.identity]
            last = [p for s in made_by for p in _signed_in(s, sign_ins)]
    found = [p for s in near for p in _signed_in(s, sign_ins)] + last
    return (found[0], HopStatus.INFERRED) if found else ("", HopStatus.MISSING)


def _behind(made: CredentialIssuance, issuances: Sequence[CredentialIssuance]) -> str:
    """Find the person at the start of the session that made a key."""
    keys = _walk(made.parent, issuances)[0]
    return next((key.person for key in keys if key.person), "")


def _signed_in(subject: str, sign_ins: Sequence[SignIn]) -> list[str]:
    known = {
        s.person for s in sign_ins if subject and subject in (s.credential, s.identity)
    }
    return list(known) if len(known) == 1 else []


def _outermost(use: DeclaredUse, parents: Mapping[str, str]) -> set[str]:
    found = [
        agent
        for agent in use.agents
        if not any(
            other in _above(agent, parents) for other in use.agents if other != agent
        )
    ]
    return set(found or use.agents)


def _above(agent: str, parents: Mapping[str, str]) -> list[str]:
    line: list[str] = []
    while (agent := parents.get(agent, "")) and agent not in line:
        line.append(agent)
    return line


def _agent(
    walked: Sequence[ChainKey],
    at: int,
    declared: Sequence[DeclaredUse],
    parents: Mapping[str, str],
) -> tuple[Told, Told]:
    missing = ("", HopStatus.MISSING)
    order = [k.credential for k in walked] + [k.identity for k in walked]
    uses = [u for s in order if (u := _use(s, at, declared)) and u.agents]
    if not uses:
        return missing, missing
    left = _outermost(uses[0], parents)
    status = HopStatus.INFERRED if uses[0].hindsight else HopStatus.DECLARED
    if uses[0].subject.startswith("arn:") and ":role/" in uses[0].subject:
        place = [k.identity for k in walked].index(uses[0].subject)
        callers = list(walked[place + 1 :])
        proven = {a for a in left if _called(a, callers, at, declared)}
        left = left if not callers else proven | {a for a in left if _may(a, callers)}
        if not left:
            return missing, missing
        if left - proven:
            status = HopStatus.INFERRED
    for use in uses[1:]:
        if len(left) > 1 and left.intersection(_outermost(use, parents)):
            left = left.intersection(_outermost(use, parents))
            status = HopStatus.INFERRED
    if len(left) > 1:
        return missing, missing
    agent = next(iter(left))
    tools = {t for a, t in uses[0].tools if a == agent}
    tool = (next(iter(tools)), status) if len(tools) == 1 else missing
    return (agent, status), tool


def _called(
    agent: str,
    callers: Sequence[ChainKey],
    at: int,
    declared: Sequence[DeclaredUse],
) -> bool:
    """Return whether something says that an agent is behind one of the callers."""
    for caller in callers:
        name = caller.identity
        if "." in name and ":" not in name:
            return True
        for subject in (name, caller.credential):
            use = _use(subject, at, declared)
            if use and agent in use.agents:
                return True
        own = _use(agent, at, declared)
        if caller.person and own and own.person == caller.person:
            return True
        if _repository(name) and _repository(name) == _of_workflow(agent):
            return True
    return False


def _may(agent: str, callers: Sequence[ChainKey]) -> bool:
    """Return whether a workflow of a checkout without a remote may be behind a caller."""
    nameless = agent.startswith("agent:github-actions/") and not _of_workflow(agent)
    return nameless and any(_repository(caller.identity) for caller in callers)


def _repository(identity: str) -> str:
    if identity[:5] != "oidc:" or "/repo:" not in identity:
        return ""
    return identity.split("/repo:", 1)[1].split(":")[0].lower()


def _of_workflow(agent: str) -> str:
    words = agent.split("/")
    if words[0] != "agent:github-actions" or len(words) < 5:
        return ""
    return f"{words[1]}/{words[2]}".lower()
