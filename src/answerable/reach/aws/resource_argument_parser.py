"""Parse the resource argument of a question: ARN, `s3://` URI, glob or name."""

from difflib import get_close_matches

from answerable.model.errors import UsageError
from answerable.model.ids import convert_s3_uri
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.action_validation import GetPolicyNames, LoadCatalogue
from answerable.reach.aws.arn_validation import check_resource_arn
from answerable.reach.aws.patterns.glob_matching import do_globs_overlap, encode_glob


def parse_resource_argument(
    text: str,
    facts: SightedFacts,
    load_catalogue: LoadCatalogue,
    get_policy_names: GetPolicyNames,
) -> str:
    """Parse a resource: an ARN, an `s3://` URI, `*`, or a known resource's name.

    Args:
        text: As typed.
        facts: The snapshot's.
        load_catalogue: Loads services of the catalogue; None loads them all.
        get_policy_names: Names that collected policies use.

    Raises:
        UsageError: It is none of these, or an ARN that no resource can have.
    """
    asked = convert_s3_uri(text.strip())
    if asked == "*":
        return asked
    if asked.startswith("arn:"):
        check_resource_arn(asked, facts, load_catalogue, get_policy_names)
        return asked
    found = find_resources_by_name(facts, asked)
    if len(found) == 1:
        return found[0]
    hint = (
        "use one of: " + ", ".join(found[:10])
        if found
        else _suggest_collected_resource(facts, asked)
    )
    raise UsageError(
        f"invalid resource (got {text[:120]!r}, expected an ARN, s3://BUCKET/KEY or *)",
        hint,
    )


def parse_resource_glob_argument(
    text: str,
    facts: SightedFacts,
    load_catalogue: LoadCatalogue,
    get_policy_names: GetPolicyNames,
) -> str:
    """Parse a resource glob: `*`, an ARN glob, or a glob over the text of an ARN.

    Args:
        text: As typed; an `s3://` URI and the name of a known resource are taken too.
        facts: The snapshot's.
        load_catalogue: Loads services of the catalogue; None loads them all.
        get_policy_names: Names that collected policies use.

    Raises:
        UsageError: No ARN can match it.
    """
    asked = convert_s3_uri(text.strip())
    wild = set("*?") & set(asked)
    if not asked.strip("*"):
        return asked or "*"
    if asked.startswith("arn:") or not wild:
        return parse_resource_argument(text, facts, load_catalogue, get_policy_names)
    if not do_globs_overlap(encode_glob(asked), encode_glob("arn:*:*:*:*:*")):
        raise UsageError(
            f"no ARN matches (got {text[:120]!r}, expected a glob that matches the whole ARN)",
            f"did you mean '*{asked.strip('*')}*'?",
        )
    return asked


def _suggest_collected_resource(facts: SightedFacts, name: str) -> str:
    """Suggest a collected resource with a similar name."""
    names = {str(r.id).replace("/", ":").rpartition(":")[2]: 0 for r in facts.resources}
    close = get_close_matches(name, names, n=1, cutoff=0.7)
    return f"did you mean {close[0]}?" if close else "give its ARN, or *"


def find_resources_by_name(facts: SightedFacts, name: str) -> list[str]:
    """List known resources whose ARN ends in a name."""
    ends = (f":{name}", f"/{name}")
    named = [str(r.id) for r in facts.resources if r.id.endswith(ends)]
    return named + [
        str(i.id) for i in facts.iterate_identities() if i.id.endswith(ends)
    ]
