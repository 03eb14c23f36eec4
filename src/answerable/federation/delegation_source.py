"""Find the delegation behind a token request: open a new one, or use a recorded one.

| subject | actor | delegation |
|---|---|---|
| token of a workload, ID-JAG | | a new root, by the matching rule |
| peer of the socket | | likewise |
| our own token | | the one on record |
| our own token, sent by our gateway | | likewise |
| ticket | | a child of its parent, for the agent it names |
| id token of a person | our own token | a child of the agent's own, for that person |
| id token of a person | peer of the socket | a new root, for that person |
| our own token, bound to no key | our own token, or peer | a child, for the actor |
"""

from dataclasses import dataclass

import msgspec

from answerable.federation.delegations import (
    ATTESTED_LIFETIME,
    DelegationChain,
    DelegationRequest,
    check_delegation_allowed,
    check_delegation_chain,
    delegation_request_of_ticket,
    open_child_delegation,
    open_delegation_for_person,
    open_root_delegation,
)
from answerable.federation.denials import DenialReason, ExchangeDenied
from answerable.federation.exchange_inputs import TrustState, check_chain_in_force
from answerable.federation.person_claim import PersonRejected, read_person
from answerable.federation.trust_rules.matching import MatchedRule, Workload
from answerable.federation.trust_rules.rule_index import AmbiguousMatch
from answerable.model.delegation import Delegation, DelegationTicket
from answerable.model.ids import AgentId, PersonId
from answerable.model.token_claims import Confirmation, SignedClaims, TokenType
from answerable.model.token_request import GrantType, TokenRequest
from answerable.model.trust_rule import LaunchedSubject, RequiredBinding, TrustRule
from answerable.model.workload_attestation import Attestation


@dataclass(frozen=True, slots=True)
class OwnToken:
    """Our own token with its delegation chain from the record.

    Attributes:
        chain: Delegations from the token's up to the root.
    """

    claims: SignedClaims
    chain: DelegationChain


@dataclass(frozen=True, slots=True)
class TicketGrant:
    """An unused ticket with the delegation chain of its parent.

    Attributes:
        chain: Delegations from the parent up to the root.
    """

    ticket: DelegationTicket
    chain: DelegationChain


ExchangeSubject = SignedClaims | Attestation | OwnToken | TicketGrant
ExchangeActor = OwnToken | Attestation


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """A token request whose tokens and proofs are verified.

    Attributes:
        subject: The verified subject token, or the attested peer.
        actor: The verified actor, None without one.
        shown: Keys proven by DPoP or by the client certificate.
        gateway: Whether our gateway asks, with the token of a call that it forwards.
    """

    request: TokenRequest
    subject: ExchangeSubject
    actor: ExchangeActor | None
    shown: Confirmation
    gateway: bool = False


class DelegationSource(msgspec.Struct, frozen=True, gc=False):
    """The delegation and the rule that a request is granted under.

    Attributes:
        chain: The delegation and its parents.
        opens: Whether the first link is new.
        used: Claims and facts that the rule used, for evidence.
        ticket: Digest of the ticket, hex, empty without one.
    """

    chain: DelegationChain
    rule: TrustRule
    opens: bool
    used: tuple[tuple[str, str], ...] = ()
    ticket: str = ""

    @property
    def delegation(self) -> Delegation:
        """Return the delegation that is opened or renewed."""
        return self.chain[0]

    @property
    def live_delegation(self) -> str:
        """Return the id of the delegation that must not be revoked."""
        return self.delegation.parent if self.opens else self.delegation.id


def find_delegation_source(
    verified_request: VerifiedRequest, trust_state: TrustState, id: str, now: int
) -> DelegationSource:
    """Find or open the delegation that a token request is granted under.

    Args:
        id: Id for a new delegation.
        now: NumericDate.

    Raises:
        Refused: No rule or record grants it.
    """
    finding = _SourceFinder(verified_request, trust_state, id, now)
    is_client = verified_request.request.grant_type is GrantType.CLIENT_CREDENTIALS
    if is_client and not isinstance(verified_request.subject, SignedClaims):
        # A client assertion is what its platform says of it; a token of ours is none.
        raise ExchangeDenied(DenialReason.CLIENT)
    match verified_request.subject, verified_request.actor:
        case OwnToken() as held, None if verified_request.gateway:
            return finding.reuse_delegation_of_call(held)
        case _ if verified_request.gateway:
            raise ExchangeDenied(DenialReason.NOT_A_CALL)
        case SignedClaims() as claims, None:
            return finding.open_for_workload_token(claims)
        case SignedClaims() as claims, actor:
            return finding.open_for_person(claims, actor)
        case Attestation() as attestation, None:
            return finding.open_for_attested_workload(attestation)
        case OwnToken() as held, None:
            return finding.reuse_recorded_delegation(held)
        case OwnToken() as held, actor:
            return finding.delegate_to_token_presenter(held, actor)
        case TicketGrant() as handed, None:
            return finding.open_for_ticket(handed)
        case _:
            raise ExchangeDenied(DenialReason.ACTOR)


class _SourceFinder(msgspec.Struct, frozen=True, gc=False):
    """Search for the delegation source of one request."""

    asked: VerifiedRequest
    standing: TrustState
    id: str
    now: int

    def open_for_workload_token(self, claims: SignedClaims) -> DelegationSource:
        """Open a root delegation for a workload's token or an ID-JAG."""
        if claims.token_type is TokenType.ID_TOKEN:
            # An ID token names a person who signed in, but no agent.
            raise ExchangeDenied(DenialReason.PERSON_ALONE)
        self._check_issuer_enabled(claims)
        found = self._match_rule(claims)
        sub: str = found.rule.agent
        _check_client_id(claims, found.rule, self.asked.request)
        is_jag = claims.token_type is TokenType.ID_JAG
        if is_jag and self.standing.issuers[claims.issuer].person:
            sub = self._find_permitted_person(claims, found.rule)
        run = f"token:{claims.token_sha256.hex()}"
        return self._open_root_delegation(found, sub, run, claims.exp)

    def open_for_attested_workload(self, attestation: Attestation) -> DelegationSource:
        """Open a root delegation for an attested local workload."""
        found = self._match_rule(attestation)
        subject = found.rule.subject
        person = subject.person if isinstance(subject, LaunchedSubject) else ""
        until = self.now + ATTESTED_LIFETIME
        sub = person or found.rule.agent
        return self._open_root_delegation(found, sub, attestation.run, until)

    def open_for_person(
        self, claims: SignedClaims, actor: ExchangeActor | None
    ) -> DelegationSource:
        """Open a delegation in which an agent acts for a signed-in person."""
        if claims.token_type is not TokenType.ID_TOKEN:
            raise ExchangeDenied(DenialReason.ACTOR, "the token names no person")
        self._check_issuer_enabled(claims)
        if isinstance(actor, Attestation):
            found = self._match_rule(actor)
            person = self._find_permitted_person(claims, found.rule)
            until = min(claims.exp, self.now + ATTESTED_LIFETIME)
            return self._open_root_delegation(found, person, actor.run, until)
        if actor is None:
            raise ExchangeDenied(DenialReason.PERSON_ALONE)
        rule = self._check_token_against_record(actor)
        self._check_key_proof(actor.chain[0].cnf)
        person = self._find_permitted_person(claims, rule)
        until = min(claims.exp, actor.chain[0].expires)
        link = open_delegation_for_person(
            actor.chain[0], self.id, person, self.now, until
        )
        return DelegationSource((link, *actor.chain), rule, opens=True)

    def reuse_recorded_delegation(self, own_token: OwnToken) -> DelegationSource:
        """Reuse the recorded delegation of a token that we issued."""
        return DelegationSource(
            own_token.chain, self._check_token_against_record(own_token), opens=False
        )

    def reuse_delegation_of_call(self, own_token: OwnToken) -> DelegationSource:
        """Use the delegation of a token that our gateway received with a call."""
        if own_token.claims.aud not in self.standing.gateways:
            raise ExchangeDenied(DenialReason.NOT_A_CALL, "aud")
        return self.reuse_recorded_delegation(own_token)

    def delegate_to_token_presenter(
        self, own_token: OwnToken, actor: ExchangeActor | None
    ) -> DelegationSource:
        """Delegate to an agent that presents another agent's unbound token."""
        rule, parent = self._check_token_against_record(own_token), own_token.chain[0]
        if parent.cnf.is_bound_to_key:
            # Its holder hands it on by a ticket, for which it shows its key.
            raise ExchangeDenied(DenialReason.TICKET_NEEDED)
        if isinstance(actor, OwnToken):
            self._check_token_against_record(actor)
            self._check_key_proof(actor.chain[0].cnf)
            check_chain_in_force(actor.chain, self.standing)
            if actor.chain[0].actors:
                raise ExchangeDenied(DenialReason.ACTOR, "it already acts for a person")
            agent, run = actor.chain[0].agent, actor.chain[0].run
        elif isinstance(actor, Attestation):
            agent, run = self._match_rule(actor).rule.agent, actor.run
        else:
            raise ExchangeDenied(DenialReason.ACTOR)
        portion = DelegationRequest(agent, "", None, None, parent.expires - self.now)
        key = _select_binding_key(self.asked.shown, mtls=_requires_mtls(parent))
        return self._open_child_delegation(own_token.chain, rule, portion, run, key)

    def open_for_ticket(self, ticket_grant: TicketGrant) -> DelegationSource:
        """Open the child delegation that a ticket grants to its agent and key."""
        ticket, chain = ticket_grant.ticket, ticket_grant.chain
        check_delegation_chain(chain, self.now)
        if ticket.parent != chain[0].id:
            raise ExchangeDenied(DenialReason.NOT_THE_RECORD, "ticket")
        if self.now >= ticket.expires:
            raise ExchangeDenied(DenialReason.EXPIRED, "ticket")
        if not ticket.jkt or self.asked.shown.jkt != ticket.jkt:
            raise ExchangeDenied(DenialReason.OTHER_KEY, "jkt")
        key = _select_binding_key(self.asked.shown, mtls=_requires_mtls(chain[0]))
        rule = self._find_unchanged_rule(chain[0])
        run = f"ticket:{ticket.sha256}"
        return self._open_child_delegation(
            chain, rule, delegation_request_of_ticket(ticket), run, key, ticket.sha256
        )

    def _open_child_delegation(
        self,
        chain: DelegationChain,
        rule: TrustRule,
        request: DelegationRequest,
        run: str,
        cnf: Confirmation,
        ticket: str = "",
    ) -> DelegationSource:
        """Open a child of the chain's first delegation, if its rule allows it."""
        check_delegation_allowed(chain[0], request.agent, rule)
        link = open_child_delegation(
            chain[0],
            request,
            self.id,
            owner=self._find_attested_owner(request.agent),
            run=run,
            cnf=cnf,
            now=self.now,
        )
        return DelegationSource((link, *chain), rule, opens=True, ticket=ticket)

    def _open_root_delegation(
        self, matched: MatchedRule, sub: str, run: str, until: int
    ) -> DelegationSource:
        """Open a root delegation for a workload that matched a rule."""
        rule = matched.rule
        mtls = any(grant.bind is RequiredBinding.MTLS for grant in rule.grants)
        link = open_root_delegation(
            rule,
            self.id,
            sub=sub,
            owner=self._find_attested_owner(rule.agent),
            run=run,
            cnf=_select_binding_key(self.asked.shown, mtls=mtls),
            now=self.now,
            expires=until,
        )
        return DelegationSource((link,), rule, opens=True, used=matched.used)

    def _match_rule(self, workload: Workload) -> MatchedRule:
        """Return the one rule that a workload matches, else deny the exchange."""
        try:
            found = self.standing.rules.find_matching_rule(workload)
        except AmbiguousMatch:
            raise ExchangeDenied(DenialReason.AMBIGUOUS) from None
        if found is None:
            raise ExchangeDenied(DenialReason.NO_RULE)
        return found

    def _check_token_against_record(self, own_token: OwnToken) -> TrustRule:
        """Check our own token against its delegation record; return the rule."""
        claims, chain = own_token.claims, own_token.chain
        check_delegation_chain(chain, self.now)
        link = chain[0]
        issuer = self.standing.issuers.get(claims.issuer)
        same = (
            claims.iss == self.standing.url
            and (issuer is None or issuer.pin.ours)
            and claims.token_type is TokenType.ACCESS_TOKEN
            and claims.find_claim_at_path("answerable", "dlg") == link.id
            and claims.find_claim_at_path("answerable", "agent") == link.agent
            and claims.sub == link.sub
            and claims.cnf == link.cnf
        )
        if not same:
            raise ExchangeDenied(DenialReason.NOT_THE_RECORD, "token")
        return self._find_unchanged_rule(link)

    def _find_unchanged_rule(self, delegation: Delegation) -> TrustRule:
        """Return the rule of a delegation; deny if it changed or was removed."""
        rule = self.standing.rules.get_rule(delegation.rule)
        if rule is None or rule.digest != delegation.rule_digest:
            raise ExchangeDenied(DenialReason.RULE_CHANGED, delegation.rule)
        return rule

    def _find_attested_owner(self, agent: AgentId) -> PersonId:
        """Return the attested owner of an agent, else deny the exchange."""
        owner = self.standing.owners.get(agent)
        if owner is None:
            raise ExchangeDenied(DenialReason.NO_OWNER, agent)
        return owner

    def _find_permitted_person(self, claims: SignedClaims, rule: TrustRule) -> PersonId:
        """Return the person of a token, if the rule lets the agent act for them."""
        issuer = self.standing.issuers[claims.issuer]
        if claims.issuer not in rule.on_behalf_of:
            raise ExchangeDenied(DenialReason.NOT_ON_BEHALF, claims.issuer)
        try:
            person = read_person(claims, issuer.person)
        except PersonRejected as refused:
            raise ExchangeDenied(DenialReason.NO_PERSON, refused.claim) from None
        if not self.standing.is_bound(claims, person):
            raise ExchangeDenied(DenialReason.OTHER_ACCOUNT, person)
        return person

    def _check_issuer_enabled(self, claims: SignedClaims) -> None:
        """Deny a token of an unknown or revoked issuer, or without key proof."""
        name = f"issuer:{claims.issuer}"
        issuer = self.standing.issuers.get(claims.issuer)
        if issuer is None or issuer.pin.ours or name in self.standing.kills:
            raise ExchangeDenied(DenialReason.ISSUER_DISABLED, claims.issuer)
        self._check_key_proof(claims.cnf)

    def _check_key_proof(self, cnf: Confirmation) -> None:
        """Check that the requester proved possession of the key in `cnf`."""
        shown = self.asked.shown
        if cnf.jkt and shown.jkt != cnf.jkt:
            raise ExchangeDenied(DenialReason.OTHER_KEY, "jkt")
        if cnf.x5t_s256 and shown.x5t_s256 != cnf.x5t_s256:
            raise ExchangeDenied(DenialReason.OTHER_KEY, "x5t#S256")


def _check_client_id(
    claims: SignedClaims, rule: TrustRule, request: TokenRequest
) -> None:
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
        raise ExchangeDenied(DenialReason.CLIENT)


def _select_binding_key(proven: Confirmation, *, mtls: bool) -> Confirmation:
    """Return the key that a delegation is bound to; a certificate only for mTLS rules."""
    if proven.jkt and not mtls:
        return Confirmation(jkt=proven.jkt)
    return proven


def _requires_mtls(parent: Delegation) -> bool:
    return any(bind == RequiredBinding.MTLS for _, bind in parent.bindings)
