"""How much a server and a client of ours get done, and what a connection costs; see `__main__`."""
