"""Where documents come from besides folders, and how what is there is kept in step."""
