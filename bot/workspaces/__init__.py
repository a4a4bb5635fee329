"""Several workspaces in one installation: each has a home and a bot of its own."""
