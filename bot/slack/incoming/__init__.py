"""What comes from Slack: checked, read, and stored before it is acknowledged."""
