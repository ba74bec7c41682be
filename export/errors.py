"""The errors that are shown to the user; they are defined on the ground floor."""

from ..neurons.errors import InputError, counted, index_list, shown

__all__ = ["InputError", "counted", "index_list", "shown"]
