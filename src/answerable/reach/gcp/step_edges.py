"""List the identities that a principal can act as by one step."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from answerable.model.google_cloud_ids import get_container
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    build_atom,
    conjoin_hops,
)
from answerable.reach.gcp.access_evaluation import AccessEvaluation
from answerable.reach.gcp.catalogue import GoogleResource
from answerable.reach.gcp.google_steps import (
    GoogleStep,
    build_step,
    chain_steps,
    choose_steps,
    index_pool_members,
)
from answerable.reach.gcp.pool_tokens import list_google_token_members
from answerable.reach.gcp.step_rules import (
    ACT_AS,
    CLUSTER_RULE,
    CREATE_KEY,
    DELEGATION,
    EXISTS,
    OPEN_ID_TOKEN,
    PROVIDER_WRITES,
    STEP_PERMISSIONS,
    STEP_RULES,
    TOKEN_RULES,
    WORKLOAD_RULES,
    GoogleStepRule,
)

_ACCOUNTS = "/serviceAccounts/"
_IAM = "//iam.googleapis.com/"


@dataclass(frozen=True, slots=True)
class _Holder:
    """Principal with the places of its permissions for steps.

    Attributes:
        only: The one target to list steps to; empty for all.
    """

    principal: str
    held: Mapping[str, Sequence[str]]
    only: str = ""


class StepLister:
    """Lists of steps, by principal."""

    def __init__(self, evaluation: AccessEvaluation) -> None:
        self.evaluation = evaluation
        self.index = evaluation.index
        self._found: dict[str, tuple[GoogleStep, ...]] = {}
        self._single: dict[tuple[object, str], GoogleStep | None] = {}
        self._below: dict[str, tuple[str, ...]] = {}
        self._of_role: dict[str, frozenset[str]] = {}
        self._pool_members = index_pool_members(self.index)
        self._enforced = self.index.key_creation

    def list_steps(self, principal: str) -> tuple[GoogleStep, ...]:
        """List the steps of a principal, one for each target."""
        found = self._found.get(principal)
        if found is None:
            found = self._found[principal] = tuple(
                self._yield_best_steps(principal, "")
            )
        return found

    def find_step(self, principal: str, target: str) -> GoogleStep | None:
        """Find the best step of a principal to one target."""
        key = self._get_signature(principal), target
        if key not in self._single:
            self._single[key] = next(self._yield_best_steps(principal, target), None)
        found = self._single[key]
        if found is None or principal == target:
            return None
        return replace(found, origin=principal)

    def _get_signature(self, principal: str) -> object:
        """Return a key that is equal for principals with equal steps.

        Without deny policies and boundaries the bindings decide.
        """
        if self.index.deny_policies or self.index.boundary_bindings:
            return principal
        return frozenset(map(id, self.index.list_bindings_of(principal)))

    def _yield_best_steps(self, principal: str, only: str) -> Iterator[GoogleStep]:
        """Yield the best step of a principal to each target."""
        held = self._collect_held(principal)
        if not held:
            return
        by_target: dict[str, list[GoogleStep]] = {}
        for step in self._iterate_ways(_Holder(principal, held, only)):
            if step.formula == FALSE and not step.gaps:
                continue
            if step.target != principal and only in ("", step.target):
                by_target.setdefault(step.target, []).append(step)
        for steps in by_target.values():
            yield choose_steps(steps)

    def _collect_held(self, principal: str) -> Mapping[str, Sequence[str]]:
        """Collect the places of the permissions for steps that a principal may hold."""
        held: dict[str, dict[str, None]] = {}
        for binding in self.index.list_bindings_of(principal):
            for permission in self.select_step_permissions(binding.role):
                held.setdefault(permission, {})[binding.resource] = None
        return {permission: tuple(places) for permission, places in held.items()}

    def select_step_permissions(self, role: str) -> frozenset[str]:
        """Select the permissions for steps that a role has, or may have."""
        found = self._of_role.get(role)
        if found is None:
            permissions = self.index.roles.get_permissions(role)
            found = (
                STEP_PERMISSIONS
                if permissions is None
                else permissions & STEP_PERMISSIONS
            )
            self._of_role[role] = found
        return found

    def _iterate_ways(self, holder: _Holder) -> Iterator[GoogleStep]:
        """Yield all ways of a principal to other identities."""
        for rule in STEP_RULES:
            if rule.agent:
                yield from self._step_to_agents(holder, rule)
            elif rule.account and not rule.project:
                for account in self._list_accounts(holder, rule.via):
                    yield self._build_step(holder.principal, account, rule)
        yield from self._iterate_deployments(holder)
        yield from self._iterate_workloads(holder)
        yield from self._enter_unknown_clusters(holder)
        yield from self._iterate_delegations(holder)
        yield from self._iterate_pool_entries(holder)

    def _list_accounts(self, holder: _Holder, permission: str) -> Iterable[str]:
        """List the accounts on which a permission is held, or the one target."""
        places = holder.held.get(permission, ())
        if not holder.only or not places:
            return self.list_accounts_of(places)
        if holder.only not in self.index.accounts:
            return ()
        resource = self.index.get_account_resource(holder.only)
        chain = self.index.tree.get_chain(resource)
        return () if frozenset(chain).isdisjoint(places) else (holder.only,)

    def _iterate_deployments(self, holder: _Holder) -> Iterator[GoogleStep]:
        """Yield the ways to start code as a service account that it may attach."""
        held = holder.held
        rules = [
            rule
            for rule in STEP_RULES
            if rule.project and rule.account and all(p in held for p in rule.project)
        ]
        updates = [
            rule
            for rule in WORKLOAD_RULES
            if rule.account and all(p in held for p in rule.project)
        ]
        if not rules and not updates:
            return
        for account in self._list_accounts(holder, ACT_AS):
            project = self._get_project(account)
            for rule in rules:
                if self._are_held(rule.project, held, project):
                    step = self._build_step(holder.principal, account, rule, project)
                    yield step
                    if step.formula == TRUE and not step.gaps:
                        break
            else:
                for rule in updates:
                    yield from self._update_unknown(holder, account, rule)

    def _update_unknown(
        self, holder: _Holder, account: str, rule: GoogleStepRule
    ) -> Iterator[GoogleStep]:
        """Yield the change of a workload that may exist: it was not collected."""
        project = self._get_project(account)
        known = self._has_workload(project, rule)
        if not known and self._are_held(rule.project, holder.held, project):
            yield self._build_step(holder.principal, account, rule, project, EXISTS)

    def _enter_unknown_clusters(self, holder: _Holder) -> Iterator[GoogleStep]:
        """Yield the ways into clusters that may run as an account of a project.

        A list of resources need not contain clusters.
        """
        if CLUSTER_RULE.via not in holder.held:
            return
        for account in self._list_accounts(holder, CLUSTER_RULE.via):
            project = self._get_project(account)
            if not self._has_workload(project, CLUSTER_RULE):
                yield self._build_step(
                    holder.principal, account, CLUSTER_RULE, project, EXISTS
                )

    def _has_workload(self, project: str, rule: GoogleStepRule) -> bool:
        """Return whether a workload of a kind was collected in a project."""
        workloads = self.index.tables.workloads.get(project, ())
        return any(each.kind.startswith(rule.workload) for each in workloads)

    def _are_held(
        self, needed: Iterable[str], held: Mapping[str, Sequence[str]], place: str
    ) -> bool:
        """Return whether permissions may be held on a resource or its ancestors."""
        chain = frozenset(self.index.tree.get_chain(place))
        return all(not chain.isdisjoint(held[each]) for each in needed)

    def _iterate_workloads(self, holder: _Holder) -> Iterator[GoogleStep]:
        """Yield the ways into workloads that were collected."""
        for rule in WORKLOAD_RULES if self.index.tables.workloads else ():
            if not all(each in holder.held for each in rule.project):
                continue
            for place in holder.held[rule.via]:
                for workload in self._list_workloads(place, rule):
                    yield from self._yield_workload_steps(
                        holder.principal, workload, rule
                    )

    def _yield_workload_steps(
        self, principal: str, workload: GoogleResource, rule: GoogleStepRule
    ) -> Iterator[GoogleStep]:
        """Yield the step into a workload, as each account that it runs as."""
        name = self.index.tree.normalise(workload.name)
        on_project = rule.via == "compute.projects.setCommonInstanceMetadata"
        place = self.index.tree.get_project(name) if on_project else name
        for account in workload.runs_as:
            yield self._build_step(principal, account, rule, place)

    def _list_workloads(
        self, place: str, rule: GoogleStepRule
    ) -> Iterator[GoogleResource]:
        """Yield the collected workloads of a kind below a place."""
        tree = self.index.tree
        kind, _ = get_container(place)
        if not kind:
            own = tree.resources.get(place)
            if own is not None and own.kind.startswith(rule.workload):
                yield own
            return
        for project, workloads in self.index.tables.workloads.items():
            if tree.contains(place, project):
                yield from (w for w in workloads if w.kind.startswith(rule.workload))

    def _step_to_agents(
        self, holder: _Holder, rule: GoogleStepRule
    ) -> Iterator[GoogleStep]:
        """Yield the steps to the agent account of a service in each project."""
        for account in self._list_accounts(holder, rule.via):
            if account.endswith(rule.agent):
                project = self._get_project(account)
                yield self._build_step(holder.principal, account, rule, project)

    def _iterate_delegations(self, holder: _Holder) -> Iterator[GoogleStep]:
        """Yield the chains that begin with implicit delegation.

        Source: https://docs.cloud.google.com/iam/docs/create-short-lived-credentials-delegated.
        """
        principal = holder.principal
        rule = GoogleStepRule(DELEGATION, (DELEGATION,))
        delegates = [
            self._build_step(principal, account, rule)
            for account in self.list_accounts_of(holder.held.get(DELEGATION, ()))
            if not self._gets_token(principal, account)
        ]
        seen = {principal}
        while delegates:
            first = delegates.pop()
            if first.target in seen or (first.formula == FALSE and not first.gaps):
                continue
            seen.add(first.target)
            inner = replace(
                holder,
                principal=first.target,
                held=self._collect_held(first.target),
            )
            for token in TOKEN_RULES:
                for account in self._list_accounts(inner, token.via):
                    last = self._build_step(first.target, account, token)
                    yield chain_steps(principal, first, last)
            for account in self.list_accounts_of(inner.held.get(DELEGATION, ())):
                more = self._build_step(first.target, account, rule)
                delegates.append(chain_steps(principal, first, more))

    def _gets_token(self, principal: str, account: str) -> bool:
        """Return whether a principal surely gets a token of a delegate: no chain needed."""
        tokens = (self._build_step(principal, account, each) for each in TOKEN_RULES)
        return any(each.formula == TRUE for each in tokens)

    def _iterate_pool_entries(self, holder: _Holder) -> Iterator[GoogleStep]:
        """Yield the steps into identity pools: by an id token, or a changed provider."""
        if not self._pool_members:
            return
        rule = GoogleStepRule(OPEN_ID_TOKEN, (OPEN_ID_TOKEN,))
        held = holder.held
        for account in self.list_accounts_of(held.get(OPEN_ID_TOKEN, ())):
            first = self._build_step(holder.principal, account, rule)
            yield from self._enter_pools(first, account)
        tree = self.index.tree
        for pool, members in self._pool_members.items():
            head = pool.partition("/locations/")[0]
            project = tree.normalise(f"//cloudresourcemanager.googleapis.com/{head}")
            chain = frozenset(tree.get_chain(project))
            for via in PROVIDER_WRITES:
                if chain.isdisjoint(held.get(via, ())):
                    continue
                found = self.evaluation.evaluate(holder.principal, via, project)
                for member in members:
                    yield build_step(holder.principal, member, via, (found,))

    def _enter_pools(self, first: GoogleStep, account: str) -> Iterator[GoogleStep]:
        """Yield the steps of an id token of Google into pools that trust it."""
        if first.formula == FALSE and not first.gaps:
            return
        for entry in list_google_token_members(self.index, account, self._pool_members):
            formula = conjoin_hops(first.formula, entry.formula)
            statements = (*first.statements, entry.statement)
            yield GoogleStep(
                first.origin, entry.member, first.via, formula, statements, first.gaps
            )

    def _build_step(
        self,
        principal: str,
        account: str,
        rule: GoogleStepRule,
        project: str = "",
        condition: str = "",
    ) -> GoogleStep:
        """Build the step of a rule, with its conditions."""
        resource = self.index.get_account_resource(account)
        results = [
            self.evaluation.evaluate(principal, each, resource) for each in rule.account
        ]
        results += [
            self.evaluation.evaluate(principal, each, project) for each in rule.project
        ]
        step = build_step(principal, account, rule.via, results)
        keys = (each for each in (condition, rule.condition) if each)
        open_parts = (build_atom(each, "Equals", (account,)) for each in keys)
        formula = conjoin_hops(step.formula, *open_parts) if step.formula else FALSE
        if self._is_blocked(account, rule):
            return GoogleStep(principal, account, rule.via, FALSE, ())
        return GoogleStep(
            principal, account, rule.via, formula, step.statements, step.gaps
        )

    def _is_blocked(self, account: str, rule: GoogleStepRule) -> bool:
        """Return whether a disabled account or an organization policy blocks a step."""
        known = self.index.accounts.get(account)
        if known is not None and known.disabled:
            return True
        if rule.via != CREATE_KEY or not self._enforced:
            return False
        chain = self.index.tree.get_chain(self.index.get_account_resource(account))
        settings = (self._enforced.get(each) for each in chain)
        return next((each for each in settings if each is not None), False)

    def _get_project(self, account: str) -> str:
        """Return the project of a service account, as a full resource name."""
        return self.index.tree.get_project(self.index.get_account_resource(account))

    def list_accounts_of(self, places: Iterable[str]) -> Iterable[str]:
        """List the service accounts that some places are, or contain."""
        found: dict[str, None] = {}
        for place in places:
            found |= dict.fromkeys(self._list_below(place))
        return found

    def _list_below(self, place: str) -> tuple[str, ...]:
        """List the service accounts that a place is, or contains."""
        found = self._below.get(place)
        if found is None:
            found = self._below[place] = tuple(self._compute_below(place))
        return found

    def _compute_below(self, place: str) -> Iterator[str]:
        """Yield the service accounts that a place is, or contains."""
        if place.startswith(_IAM) and _ACCOUNTS in place:
            yield place.rpartition("/")[2]
        kind, _ = get_container(place)
        if not kind:
            return
        if kind == "projects":
            yield from self.index.accounts_by_project.get(place, ())
            return
        for project, accounts in self.index.accounts_by_project.items():
            if self.index.tree.contains(place, project):
                yield from accounts
