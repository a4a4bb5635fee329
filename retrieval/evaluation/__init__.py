"""How well search and answering do on questions that people judged."""
