"""Source of the delegation behind a token request: a new one, or one on record.

| subject | actor | delegation |
|---|---|---|
| token of a workload, ID-JAG | | a new root, by the matching rule |
| peer of the socket | | likewise |
| our own token | | the one on record |
| our own token, sent by our gateway | | likewise |
| ticket | | a part of its parent, for the agent it names |
| id token of a person | our own token | a part of the agent's own, for that person |
| id token of a person | peer of the socket | a new root, for that person |
| our own token, bound to no key | our own token, or peer | a part, for the actor |
"""

from dataclasses import dataclass

import msgspec

from answerable.federation.delegations import (
    ATTESTED_LIFE,
    Chain,
    Portion,
    check_chain,
    check_pair,
    for_person,
    part_of,
    portion_of,
    root_of,
)
from answerable.federation.denials import Refused, Why
from answerable.federation.person_claim import PersonRefused, person_named
from answerable.federation.trust_rules.matching import Matched, Workload
from answerable.federation.trust_rules.rule_index import Ambiguous
from answerable.federation.trust_state import Standing, check_standing
from answerable.model.attestation import Attestation
from answerable.model.claims import Confirmation, SignedClaims, TokenType
from answerable.model.delegation import Delegation, Ticket
from answerable.model.exchange import GrantType, TokenRequest
from answerable.model.ids import AgentId, PersonId
from answerable.model.trust_rule import Bind, LaunchedSubject, TrustRule


@dataclass(frozen=True, slots=True)
class Held:
    """Our own token with its delegation chain from the record.

    Attributes:
        chain: Delegations from the token's up to the root.
    """

    claims: SignedClaims
    chain: Chain


@dataclass(frozen=True, slots=True)
class Handed:
    """An unused ticket with the delegation chain of its parent.

    Attributes:
        chain: Delegations from the parent up to the root.
    """

    ticket: Ticket
    chain: Chain


Subject = SignedClaims | Attestation | Held | Handed
Acting = Held | Attestation


@dataclass(frozen=True, slots=True)
class Asked:
    """A token request whose tokens and proofs are verified.

    Attributes:
        subject: The verified subject token, or the attested peer.
        actor: The verified actor, None without one.
        shown: Keys proven by DPoP or by the client certificate.
        gateway: Whether our gateway asks, with the token of a call that it forwards.
    """

    request: TokenRequest
    subject: Subject
    actor: Acting | None
    shown: Confirmation
    gateway: bool = False


class Basis(msgspec.Struct, frozen=True, gc=False):
    """The delegation and the rule that a request is granted under.

    Attributes:
        chain: The delegation and its parents.
        opens: Whether the first link is new.
        used: Claims and facts that the rule used, for evidence.
        ticket: Digest of the ticket, hex, empty without one.
    """

    chain: Chain
    rule: TrustRule
    opens: bool
    used: tuple[tuple[str, str], ...] = ()
    ticket: str = ""

    @property
    def delegation(self) -> Delegation:
        """Return the delegation that is opened or renewed."""
        return self.chain[0]

    @property
    def under(self) -> str:
        """Return the id of the delegation that must be live."""
        return self.delegation.parent if self.opens else self.delegation.id


def find_basis(asked: Asked, standing: Standing, id: str, now: int) -> Basis:
    """Find the delegation behind a request.

    Args:
        standing: Rules, issuers and owners in force.
        id: Id for a new delegation.
        now: NumericDate.

    Raises:
        Refused: No rule or record grants it.
    """
    finding = _Finding(asked, standing, id, now)
    is_client = asked.request.grant_type is GrantType.CLIENT_CREDENTIALS
    if is_client and not isinstance(asked.subject, SignedClaims):
        # A client assertion is what its platform says of it; a token of ours is none.
        raise Refused(Why.CLIENT)
    match asked.subject, asked.actor:
        case Held() as held, None if asked.gateway:
            return finding.of_call(held)
        case _ if asked.gateway:
            raise Refused(Why.NOT_A_CALL)
        case SignedClaims() as claims, None:
            return finding.of_token(claims)
        case SignedClaims() as claims, actor:
            return finding.of_person(claims, actor)
        case Attestation() as attestation, None:
            return finding.of_peer(attestation)
        case Held() as held, None:
            return finding.of_held(held)
        case Held() as held, actor:
            return finding.of_holder(held, actor)
        case Handed() as handed, None:
            return finding.of_ticket(handed)
        case _:
            raise Refused(Why.ACTOR)


class _Finding(msgspec.Struct, frozen=True, gc=False):
    """Search for the delegation source of one request."""

    asked: Asked
    standing: Standing
    id: str
    now: int

    def of_token(self, claims: SignedClaims) -> Basis:
        """Open a root for a workload's token or an ID-JAG."""
        if claims.token_type is TokenType.ID_TOKEN:
            # Somebody signed in; which agent asks, it does not say.
            raise Refused(Why.PERSON_ALONE)
        self._check_issuer(claims)
        found = self._match(claims)
        sub: str = found.rule.agent
        _check_client(claims, found.rule, self.asked.request)
        is_jag = claims.token_type is TokenType.ID_JAG
        if is_jag and self.standing.issuers[claims.issuer].person:
            sub = self._person(claims, found.rule)
        return self._root(found, sub, f"token:{claims.token_sha256.hex()}", claims.exp)

    def of_peer(self, attestation: Attestation) -> Basis:
        """Open a root for an attested local workload."""
        found = self._match(attestation)
        subject = found.rule.subject
        person = subject.person if isinstance(subject, LaunchedSubject) else ""
        until = self.now + ATTESTED_LIFE
        return self._root(found, person or found.rule.agent, attestation.run, until)

    def of_person(self, claims: SignedClaims, actor: Acting | None) -> Basis:
        """Open or narrow a delegation so that an agent acts for a person."""
        if claims.token_type is not TokenType.ID_TOKEN:
            raise Refused(Why.ACTOR, "no person's token")
        self._check_issuer(claims)
        if isinstance(actor, Attestation):
            found = self._match(actor)
            person = self._person(claims, found.rule)
            until = min(claims.exp, self.now + ATTESTED_LIFE)
            return self._root(found, person, actor.run, until)
        if actor is None:
            raise Refused(Why.PERSON_ALONE)
        rule = self._held(actor)
        self._check_key(actor.chain[0].cnf)
        person = self._person(claims, rule)
        until = min(claims.exp, actor.chain[0].expires)
        link = for_person(actor.chain[0], self.id, person, self.now, until)
        return Basis((link, *actor.chain), rule, opens=True)

    def of_held(self, held: Held) -> Basis:
        """Renew the delegation of our own token."""
        return Basis(held.chain, self._held(held), opens=False)

    def of_call(self, held: Held) -> Basis:
        """Use the delegation of a token that our gateway received with a call."""
        if held.claims.aud not in self.standing.gateways:
            raise Refused(Why.NOT_A_CALL, "aud")
        return self.of_held(held)

    def of_holder(self, held: Held, actor: Acting | None) -> Basis:
        """Open a part for an actor that shows another agent's unbound token."""
        rule, parent = self._held(held), held.chain[0]
        if parent.cnf.bound:
            # Its holder hands it on by a ticket, for which it shows its key.
            raise Refused(Why.TICKET_NEEDED)
        if isinstance(actor, Held):
            self._held(actor)
            self._check_key(actor.chain[0].cnf)
            check_standing(actor.chain, self.standing)
            if actor.chain[0].actors:
                raise Refused(Why.ACTOR, "acts for a person already")
            agent, run = actor.chain[0].agent, actor.chain[0].run
        elif isinstance(actor, Attestation):
            agent, run = self._match(actor).rule.agent, actor.run
        else:
            raise Refused(Why.ACTOR)
        portion = Portion(agent, "", None, None, parent.expires - self.now)
        key = _key(self.asked.shown, mtls=_asks_mtls(parent))
        return self._part(held.chain, rule, portion, run, key)

    def of_ticket(self, handed: Handed) -> Basis:
        """Open a part of the ticket's parent for the agent and key that it names."""
        ticket, chain = handed.ticket, handed.chain
        check_chain(chain, self.now)
        if ticket.parent != chain[0].id:
            raise Refused(Why.NOT_THE_RECORD, "ticket")
        if self.now >= ticket.expires:
            raise Refused(Why.EXPIRED, "ticket")
        if not ticket.jkt or self.asked.shown.jkt != ticket.jkt:
            raise Refused(Why.OTHER_KEY, "jkt")
        key = _key(self.asked.shown, mtls=_asks_mtls(chain[0]))
        rule = self._rule(chain[0])
        run = f"ticket:{ticket.sha256}"
        return self._part(chain, rule, portion_of(ticket), run, key, ticket.sha256)

    def _part(
        self,
        chain: Chain,
        rule: TrustRule,
        portion: Portion,
        run: str,
        cnf: Confirmation,
        ticket: str = "",
    ) -> Basis:
        check_pair(chain[0], portion.agent, rule)
        link = part_of(
            chain[0],
            portion,
            self.id,
            owner=self._owner(portion.agent),
            run=run,
            cnf=cnf,
            now=self.now,
        )
        return Basis((link, *chain), rule, opens=True, ticket=ticket)

    def _root(self, found: Matched, sub: str, run: str, until: int) -> Basis:
        rule = found.rule
        mtls = any(grant.bind is Bind.MTLS for grant in rule.grants)
        link = root_of(
            rule,
            self.id,
            sub=sub,
            owner=self._owner(rule.agent),
            run=run,
            cnf=_key(self.asked.shown, mtls=mtls),
            now=self.now,
            expires=until,
        )
        return Basis((link,), rule, opens=True, used=found.used)

    def _match(self, workload: Workload) -> Matched:
        try:
            found = self.standing.rules.find(workload)
        except Ambiguous:
            raise Refused(Why.AMBIGUOUS) from None
        if found is None:
            raise Refused(Why.NO_RULE)
        return found

    def _held(self, held: Held) -> TrustRule:
        """Check our own token against the record, which is authoritative."""
        claims, chain = held.claims, held.chain
        check_chain(chain, self.now)
        link = chain[0]
        issuer = self.standing.issuers.get(claims.issuer)
        same = (
            claims.iss == self.standing.url
            and (issuer is None or issuer.pin.ours)
            and claims.token_type is TokenType.ACCESS_TOKEN
            and claims.leaf("answerable", "dlg") == link.id
            and claims.leaf("answerable", "agent") == link.agent
            and claims.sub == link.sub
            and claims.cnf == link.cnf
        )
        if not same:
            raise Refused(Why.NOT_THE_RECORD, "token")
        return self._rule(link)

    def _rule(self, link: Delegation) -> TrustRule:
        """Return the rule of a delegation if it is unchanged."""
        rule = self.standing.rules.get(link.rule)
        if rule is None or rule.digest != link.rule_digest:
            raise Refused(Why.RULE_CHANGED, link.rule)
        return rule

    def _owner(self, agent: AgentId) -> PersonId:
        owner = self.standing.owners.get(agent)
        if owner is None:
            raise Refused(Why.NO_OWNER, agent)
        return owner

    def _person(self, claims: SignedClaims, rule: TrustRule) -> PersonId:
        """Return the person that an issuer vouches for, if the rule permits it."""
        issuer = self.standing.issuers[claims.issuer]
        if claims.issuer not in rule.on_behalf_of:
            raise Refused(Why.NOT_ON_BEHALF, claims.issuer)
        try:
            person = person_named(claims, issuer.person)
        except PersonRefused as refused:
            raise Refused(Why.NO_PERSON, refused.claim) from None
        if not self.standing.is_bound(claims, person):
            raise Refused(Why.OTHER_ACCOUNT, person)
        return person

    def _check_issuer(self, claims: SignedClaims) -> None:
        name = f"issuer:{claims.issuer}"
        issuer = self.standing.issuers.get(claims.issuer)
        if issuer is None or issuer.pin.ours or name in self.standing.kills:
            raise Refused(Why.ISSUER_DISABLED, claims.issuer)
        self._check_key(claims.cnf)

    def _check_key(self, cnf: Confirmation) -> None:
        """Check that the requester proved the key of its token."""
        shown = self.asked.shown
        if cnf.jkt and shown.jkt != cnf.jkt:
            raise Refused(Why.OTHER_KEY, "jkt")
        if cnf.x5t_s256 and shown.x5t_s256 != cnf.x5t_s256:
            raise Refused(Why.OTHER_KEY, "x5t#S256")


def _check_client(claims: SignedClaims, rule: TrustRule, request: TokenRequest) -> None:
    """Check that a client id names the assertion's client or the rule's agent.

    RFC 7521 4.2 and 7523 3: `sub` is the client. The Azure SDKs, where another party
    vouches for a client, send the client that the rule grants: the agent.
    """
    if claims.token_type is TokenType.ID_JAG:
        names = {claims.client_id}
    elif request.grant_type is GrantType.CLIENT_CREDENTIALS:
        names = {claims.sub, str(rule.agent)}
    else:
        return
    if request.client_id and request.client_id not in names:
        raise Refused(Why.CLIENT)


def _key(shown: Confirmation, *, mtls: bool) -> Confirmation:
    """Return the key that a delegation is bound to; a certificate only for mTLS rules."""
    if shown.jkt and not mtls:
        return Confirmation(jkt=shown.jkt)
    return shown


def _asks_mtls(parent: Delegation) -> bool:
    return any(bind == Bind.MTLS for _, bind in parent.bindings)
