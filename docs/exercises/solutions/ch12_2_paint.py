"""Solution 12.2. The same shifted slice as in the convolution: once it is written to, once it is read."""

import numpy as np


def input_gradient(g: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The cotangent of the images."""
    n, _, height, width = g.shape
    gx = np.zeros((n, w.shape[1], height + w.shape[2] - 1, width + w.shape[3] - 1))
    for a in range(w.shape[2]):
        for b in range(w.shape[3]):
            gx[:, :, a : a + height, b : b + width] += np.einsum("noij,oc->ncij", g, w[:, :, a, b])
    return gx


def weight_gradient(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The cotangent of the weights; their height and width follow from the shapes of g and x."""
    height, width = g.shape[2:]
    gw = np.zeros((g.shape[1], x.shape[1], x.shape[2] - height + 1, x.shape[3] - width + 1))
    for a in range(gw.shape[2]):
        for b in range(gw.shape[3]):
            gw[:, :, a, b] = np.einsum("noij,ncij->oc", g, x[:, :, a : a + height, b : b + width])
    return gw
