"""The calculus: every elementwise operation, its formula beside its derivative. Start with core.py.

core          the idea; arithmetic, exp, log, sin, ..., choice and comparisons; what formulas may call
functions     the other elementary functions
rounding      rounding, remainders, bounds; questions with a truth value for an answer; bits
activations   what neural networks add
losses        the distance between a prediction and a target
"""

from .activations import *  # noqa: F403
from .core import *  # noqa: F403
from .functions import *  # noqa: F403
from .losses import *  # noqa: F403
from .rounding import *  # noqa: F403
