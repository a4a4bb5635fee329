"""Slack's side: what comes in, what goes out, and who is there to read it."""
