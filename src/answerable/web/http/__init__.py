"""HTTP layer: request checks, authentication, dispatch, responses."""
