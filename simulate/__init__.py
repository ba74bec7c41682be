"""Bit-accurate simulation of integer networks on a CPU."""
