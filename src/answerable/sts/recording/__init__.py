"""Record evidence of token exchanges, with rate limits for floods of refusals."""
