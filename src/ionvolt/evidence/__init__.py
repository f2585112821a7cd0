"""What the claims rest on: measured cathodes, figures and reports."""
