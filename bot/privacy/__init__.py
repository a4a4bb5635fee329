"""What is deleted when somebody asks to be forgotten, and what follows from that."""
