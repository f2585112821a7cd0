"""How each shipped model is cross-validated, calibrated, fitted and released."""
