from . import deploy as deploy
from . import export as export
from . import neurons as neurons
from . import simulate as simulate
from . import tasks as tasks
from . import train as train
from .version import __version__ as __version__
