from .foreign import from_foreign_weights as from_foreign_weights
from .loop import fit as fit
from .network import SRNN as SRNN
from .readout import log_scores as log_scores
from .recipe import Recipe as Recipe
from .recipe import make_recipe as make_recipe
from .recipe import read_plain as read_plain
from .save import float_model as float_model
