"""List what identities can do on a cluster: a verb and a resource pattern a row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from answerable.model.kubernetes_ids import KubernetesResource
from answerable.reach.condition_formula import FALSE, TRUE, Formula, conjoin_hops
from answerable.reach.kubernetes.answer_building import FoundAccess, build_access_answer
from answerable.reach.kubernetes.cluster_access import AccessPath, ClusterAccess
from answerable.reach.kubernetes.cluster_index import RuleGrant
from answerable.reach.kubernetes.resource_kinds import is_namespaced
from answerable.reach.kubernetes.rule_matching import ALL
from answerable.reach.kubernetes.rule_texts import describe_grant
from answerable.reach.platform import Answer, PathHop, Question, SubjectIdentity

ListedRows = dict[tuple[str, str], set[Formula]]


@dataclass(frozen=True, slots=True)
class RequestGlobs:
    """Globs that select the rows of a list."""

    action: str
    resource: str

    def select_action(self, verb: str) -> str:
        """Return the verb of a row that matches; empty for none.

        A rule with all verbs matches a single verb.
        """
        if fnmatchcase(verb, self.action):
            return verb
        return self.action if verb == ALL and not _is_glob(self.action) else ""

    def select_resource(self, pattern: str) -> str:
        """Return the resource of a row that matches; empty for none.

        A pattern of a rule matches a single resource in it.
        """
        if fnmatchcase(pattern, self.resource):
            return pattern
        if not _is_glob(self.resource) and fnmatchcase(self.resource, pattern):
            return self.resource
        return ""


def _is_glob(text: str) -> bool:
    """Return whether a text is a glob."""
    return bool(set("*?[") & set(text))


def iterate_permission_rows(
    clusters: Mapping[str, ClusterAccess], question: Question
) -> Iterator[Answer]:
    """Yield what the identities of a question can do, a verb and a resource a row."""
    globs = RequestGlobs(question.action, question.resource)
    listed: ListedRows = {}
    for start in question.identities:
        for access in clusters.values():
            subject = access.parse_subject(start.identity)
            if subject is None:
                continue
            number = access.get_number(subject)
            reached = access.list_reached(number)
            for target, hops in [(number, ())] if question.direct else reached:
                yield from _list_rows_of_node(
                    access, (start, target, hops), globs, listed
                )


def _list_rows_of_node(
    access: ClusterAccess,
    path: tuple[SubjectIdentity, int, tuple[PathHop, ...]],
    globs: RequestGlobs,
    listed: ListedRows,
) -> Iterator[Answer]:
    """Yield the rows of one node that no row before it has without conditions."""
    start, number, hops = path
    formula = conjoin_hops(*(hop.formula for hop in (*start.hops, *hops)))
    if formula == FALSE:
        return
    for scope, grant in access.list_grants_of(number):
        for verb, resource in iterate_pairs(access.index.name, scope, grant):
            action = globs.select_action(verb)
            place = globs.select_resource(resource) if action else ""
            seen = listed.setdefault((action, place), set()) if place else set()
            if not place or TRUE in seen or formula in seen:
                continue
            seen.add(formula)
            end = AccessPath(hops, formula, (describe_grant(grant),), number)
            admin = verb == ALL and resource.endswith("/*/*")
            found = FoundAccess(end, formula, admin=admin)
            yield build_access_answer(start, found, (action, place))


def iterate_pairs(
    cluster: str, scope: str, grant: RuleGrant
) -> Iterator[tuple[str, str]]:
    """Yield the verbs and resource patterns that a grant allows in a scope."""
    rule = grant.matcher.rule
    for verb in rule.verbs:
        for resource in rule.resources:
            for group in rule.api_groups:
                for name in rule.resource_names or ("",):
                    kind, _, subresource = resource.partition("/")
                    place = _choose_namespace(scope, kind, group)
                    if place is not None:
                        pattern = KubernetesResource(
                            cluster,
                            place,
                            kind,
                            "" if kind == ALL else group,
                            name,
                            subresource,
                        )
                        yield verb, str(pattern)
        for url in rule.non_resource_urls if not scope else ():
            yield verb, str(KubernetesResource(cluster, url=url))


def _choose_namespace(scope: str, resource: str, group: str) -> str | None:
    """Return the namespace of a row; None where a resource is not in the scope.

    A RoleBinding gives no permission on cluster-scoped resources, except its own
    namespace.
    """
    namespaced = is_namespaced(resource, group)
    if not scope:
        return "" if namespaced is False else ALL
    if namespaced is False and resource != "namespaces":
        return None
    return scope
