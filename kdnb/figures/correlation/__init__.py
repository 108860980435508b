"""The paper's correlation of mu and the loss: against T, what is left of it, whose length it is."""
