"""Chapter 9: which loss term, decay or plain noise moved mu."""
