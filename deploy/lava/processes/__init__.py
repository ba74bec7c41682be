"""Lava processes for the neurons that stock Lava lacks, made from their records.

The package holds ``process.py`` and ``models.py`` and nothing else: Lava finds the models of a
process by executing every file next to it. So a plain
``Loihi2SimCfg(select_tag="fixed_pt")``, or ``"floating_pt"``, runs these processes as it runs
Lava's own.
"""

from ..compat import prepare

# Lava cannot be imported on Python 3.11 and later before this.
prepare()
