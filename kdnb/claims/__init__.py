"""One judge: the paper's claims, this book's statements, and their controls; and what its words are worth by chance."""
