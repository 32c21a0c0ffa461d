"""Dropout as modules: of elements, of whole channels, and the one that keeps mean and variance.

All do something in training mode only: a forward pass in evaluation is the same each time. What they do stands in
functional/dropout.py.

Source: N. Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, 2014.
"""

from __future__ import annotations

from typing import Any

from . import functional as F
from .functional.dropout import check_probability
from .kept import Kept


class Dropout(Kept):
    """Each element is 0 with probability p, else divided by 1 - p; in training mode only."""

    function, shown = staticmethod(F.dropout), ("p", "inplace")

    def settled(self, options: dict[str, Any]) -> dict[str, Any]:
        check_probability(options["p"])
        return options


class Dropout1d(Dropout):
    """Whole channels of (n, channels, length) are 0 with probability p, else divided by 1 - p."""

    function = staticmethod(F.dropout1d)


class Dropout2d(Dropout):
    """Whole channels of (n, channels, height, width) are 0 with probability p, else divided by 1 - p."""

    function = staticmethod(F.dropout2d)


class Dropout3d(Dropout):
    """Whole channels of (n, channels, depth, height, width) are 0 with probability p, else divided by 1 - p."""

    function = staticmethod(F.dropout3d)


class AlphaDropout(Dropout):
    """Elements are dropped, and mean 0 and variance 1 kept, for networks of SELUs; in training mode only."""

    function = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(Dropout):
    """AlphaDropout of whole channels."""

    function = staticmethod(F.feature_alpha_dropout)
