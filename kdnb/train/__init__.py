"""The loop: from parameters to finished runs. Above this room nothing is training code, and nothing here draws."""
