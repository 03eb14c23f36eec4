from answerable.gateway.serve.control_channel import WorkerPolicy
from answerable.gateway.serve.serve_plan import _compress_rules
from tests.authorization.cedar.faulty_policies import policies
from tests.authorization.cedar.policy_strategies import rules_of


def test_policies_arrive_as_they_were_sent_and_what_is_alike_once() -> None:
    rules = rules_of("\n".join(policies(12))).copy_for_evaluation()
    found = WorkerPolicy(b"", "", "", True, (), _compress_rules(rules)).decode_rules()
    assert found == rules
    one, other = found.rules[2], found.rules[5]
    assert one.principal is other.principal
    assert one.actions is other.actions
    assert one.kind is other.kind
    assert one.reads is other.reads
