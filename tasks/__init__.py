"""Data sets and spike encoders that training, simulator and boards share."""
