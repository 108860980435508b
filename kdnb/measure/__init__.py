"""What is measured of networks: distances of classifiers, the account of mu, outputs, the row of a history."""
