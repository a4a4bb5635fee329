"""Slack in and out: the inbox, the conversation log, the admin's commands."""
