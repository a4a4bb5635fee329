"""Ways in besides Slack: an HTTP API with keys, a facade for existing clients, tools for agents."""
