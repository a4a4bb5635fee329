"""What admins see and steer from Slack."""
