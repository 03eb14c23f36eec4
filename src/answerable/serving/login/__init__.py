"""What a sign-in touches: the provider, a listener for the browser, the browser."""
