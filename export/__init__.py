"""From trained float models to networks of integers, and the files that carry both."""
