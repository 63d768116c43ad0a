"""A run given away: one folder that stock transformers serves, checked against the run, with its card."""
