"""What goes to Slack: cards, the messages that show them, and the one way out."""
