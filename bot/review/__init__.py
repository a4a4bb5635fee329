"""What people think of answers, and what comes of it."""
