"""Integer networks as Lava processes, run on Lava's CPU runtime in a watched child process.

Importing this package does not import Lava.
"""
