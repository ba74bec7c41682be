"""Networks of integers as C99, for computers and microcontrollers (docs/MICROCONTROLLERS.md)."""
