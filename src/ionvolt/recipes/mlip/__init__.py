"""The models on a universal potential: features, held-out answers, calibration, release."""
