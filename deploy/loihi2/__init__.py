"""Running a network on a Loihi 2 board through Lava and Intel's lava-loihi extension.

The extension is not public, and we have no board: the calls follow Intel's public tutorials
and code that used them, and are tested against a stand-in. Importing this package imports no Lava.
"""
