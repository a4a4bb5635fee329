"""What serves now, what is on trial, what would serve; and publishing it."""
