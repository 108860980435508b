"""The sweep from above: what a configuration asks for, how far it is, what it will cost. Nothing is trained here."""
