"""The voltage that a cell will show: from calculated voltages to measured ones."""
