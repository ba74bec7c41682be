"""Integer networks on Lava and on Loihi-class chips."""
