"""Training of adaptive spiking recurrent networks with surrogate gradients."""
