"""Which loss term, decay or plain noise moved mu."""
