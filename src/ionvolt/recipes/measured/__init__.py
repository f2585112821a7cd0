"""The recipe of the models of measured voltages: what cells show, from what is calculated."""
