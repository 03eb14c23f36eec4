"""Parse the condition keys and policy files that a permission query states."""

from collections.abc import Iterable

from answerable.model.errors import ParseError, UsageError
from answerable.model.ids import PolicyId
from answerable.model.policy import Policy, PolicyLayer
from answerable.model.provenance import FactProvenance, WrittenBy

_HINT = (
    'expected {"Version": "2012-10-17", "Statement": [...]}, in the format of AWS '
    "policies"
)

_WITH = "--with"


def parse_context_keys(
    pairs: Iterable[str], without: Iterable[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Parse `KEY=VALUE` pairs; a repeated key has several values.

    Args:
        without: Keys that the request does not carry.

    Raises:
        UsageError: A pair has no `=` or no key; or a key is both set and absent.
    """
    read: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(
                f"invalid condition (got {pair[:80]!r}, expected KEY=VALUE)",
                "for example: aws:PrincipalTag/team=data (after --context on a command line)",
            )
        read[key] = (*read.get(key, ()), value)
    stated = {key.lower() for key in read}
    for key in without:
        if not key or "=" in key:
            raise UsageError(
                f"not a condition key (got {key[:80]!r}, expected KEY)",
                "for example: --without-context aws:SourceVpce",
            )
        if key.lower() in stated:
            raise UsageError(
                f"{key[:80]} is given both with a value and as absent",
                "remove the key from --context or from --without-context",
            )
        read[key] = ()
    return read


def read_stated_policy(location: str, layer: PolicyLayer, now: int) -> Policy | None:
    """Read the file of `--session-policy` or `--endpoint-policy`; None for no file."""
    if not location:
        return None
    return _read_policy_file(location, layer, now, option=f"--{layer}-policy")


def read_added_policy(location: str, layer: PolicyLayer, now: int) -> Policy:
    """Read the policy file of option `--with`, which a what-if question adds."""
    return _read_policy_file(location, layer, now, option=_WITH)


def _read_policy_file(
    location: str, layer: PolicyLayer, now: int, *, option: str
) -> Policy:
    """Read one policy from a file; a statement that cannot be parsed is marked.

    Args:
        layer: Policy layer of the document.
        now: UTC nanoseconds.
        option: The option that named the file.

    Raises:
        UsageError: The file is missing, or holds no policy.
        EnvironmentFailure: It cannot be read.
    """
    from answerable.connectors.api_response_file import read_answer_file
    from answerable.connectors.formats.iam_policy import MAX_BYTES, parse_policy

    what = "a policy" if option == _WITH else f"the {layer} policy"
    document = read_answer_file(location, what, limit=MAX_BYTES)
    try:
        return parse_policy(
            document,
            layer,
            policy_id=PolicyId(location),
            name=location.rpartition("/")[2],
            provenance=FactProvenance(option, location, WrittenBy.PERSON, now),
        )
    except ParseError as error:
        raise UsageError(f"{error.message} (expected {what})", _HINT) from None
