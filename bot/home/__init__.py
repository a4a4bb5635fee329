"""App Home: what each person sees of themselves, and what experts and admins work with there."""
