"""Find the infrastructure code of a checkout, which only its tool can evaluate.

Variables, modules and loops decide the permissions that Terraform, CloudFormation and
Bicep create. A changed file is therefore named, and its plan is compared instead.
"""

import hashlib
import re
from collections.abc import Mapping

from answerable.connectors.bounded_folder import BoundedFolder

_TERRAFORM = (".tf", ".tofu", ".tf.json", ".tofu.json", ".tfvars", ".tfvars.json")
_TEMPLATES = (".yaml", ".yml", ".json", ".template", ".bicep")
# Names of resources and variables, and actions of AWS: `"s3:Get*"`.
_TERRAFORM_ACCESS = re.compile(
    rb"iam|polic|permission|grant|access|role|\"[a-z0-9-]+:(?:\*|[A-Z])"
)
_TEMPLATE_ACCESS = re.compile(
    rb"AWS::(?:IAM|SSO|Serverless)::|AWS::\w+::\w*(?:Policy|Permission)"
    rb"|Microsoft\.Authorization/"
)


def digest_infrastructure_code(root: str) -> Mapping[str, str]:
    """Return the digests of the files that may state permissions, by path; empty if unread.

    Raises:
        UsageError: The folder is missing.
    """
    folder = BoundedFolder.open(root)
    found: dict[str, str] = {}
    for path in folder.walk(lambda _: False):
        terraform = path.endswith(_TERRAFORM)
        if not terraform and not path.endswith(_TEMPLATES):
            continue
        text = folder.read(path)
        pattern = _TERRAFORM_ACCESS if terraform else _TEMPLATE_ACCESS
        if text is None and terraform:
            found[path] = ""
        elif text and pattern.search(text):
            found[path] = hashlib.sha256(text).hexdigest()
    return found
