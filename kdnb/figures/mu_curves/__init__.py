"""Figures of `03_mu_curves`: mu over the epochs."""
