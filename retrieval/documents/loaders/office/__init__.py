"""Files of office programs, and books: archives of XML."""
