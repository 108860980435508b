"""One judge: the paper's claims, this book's statements, and their controls."""
