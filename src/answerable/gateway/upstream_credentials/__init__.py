"""Present the operator's credentials to upstream servers, and filter leaks of them."""
