"""Slack as a source of documents: what was said in the channels that an admin chose."""
