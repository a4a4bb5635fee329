"""What reaches Slack when documents, names, questions and corrections attack those who read."""
