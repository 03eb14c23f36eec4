"""GraphQL query for the branch protection rules of a repository.

Source: https://docs.github.com/graphql/reference/objects#branchprotectionrule
"""

PROTECTION_QUERY = """
  query($owner: String!, $name: String!, $endCursor: String) {
    repository(owner: $owner, name: $name) {
      branchProtectionRules(first: 100, after: $endCursor) {
        pageInfo { hasNextPage endCursor }
        nodes {
          pattern isAdminEnforced lockBranch blocksCreations restrictsPushes
          requiresApprovingReviews requiredApprovingReviewCount
          requiresCodeOwnerReviews requiresStatusChecks requiresDeployments
          allowsForcePushes allowsDeletions
          bypassPullRequestAllowances(first: 100) {
            pageInfo { hasNextPage }
            nodes { actor { __typename ... on User { login } ... on Team { slug }
              ... on App { slug } } }
          }
          pushAllowances(first: 100) {
            pageInfo { hasNextPage }
            nodes { actor { __typename ... on User { login } ... on Team { slug }
              ... on App { slug } } }
          }
        }
      }
    }
  }"""
