"""Losses of scores against classes.

    nll_loss         -x[t]                          x: log-probabilities, t: the number of the right class
    cross_entropy    -log softmax(x)[t]             x: any scores (logits)

Both take scores (classes,), (rows, classes) or (rows, classes, d₁, ...) with one class number for each row and place,
and can leave out places (`ignore_index`) and weigh classes. The mean is then over the weights of what counts:

    loss = Σ w[tᵢ] lossᵢ / Σ w[tᵢ]

cross_entropy also takes probabilities q as targets, -Σ q log softmax(x), and can smooth its targets: with label
smoothing ε a class number t stands for the distribution (1 - ε) onehot(t) + ε / classes, so that a network is not
driven to infinite scores.

The usual case, class numbers without weights, is one kernel (ops/rows.py); the others are put together from
log softmax.

Source: C. Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016, section 7 (smoothing).
"""

from __future__ import annotations

from ...dtypes import int64
from ...ops.conversion import says_wrong
from ...ops.rows import along_rows, cross_entropy_rows
from ...tensors import Tensor
from .losses import check_reduction, check_tensors, legacy_reduction, reduced


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-x[t] of log-probabilities (rows, classes, ...) and class numbers (rows, ...), int64.

    >>> import tinygrad_edu as tg
    >>> nll_loss(tg.tensor([[-1.0, -2.0], [-3.0, -4.0]]), tg.tensor([1, 0]))
    tensor(2.5000)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    check_tensors("nll_loss", input, target)
    check_classes(input, target, weight)
    check_bounds(input, target, ignore_index)
    losses = -chosen(rows_of_scores(input), in_a_row(target), ignore_index)
    return weighted(losses, input, target, weight, ignore_index, reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(x)[t] for scores (rows, classes, ...) and class numbers (rows, ...), int64, or probabilities.

    >>> import tinygrad_edu as tg
    >>> cross_entropy(tg.zeros(2, 4), tg.tensor([3, 0]))
    tensor(1.3863)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    check_tensors("cross_entropy", input, target)
    if target.shape == input.shape and input.shape and (target.is_floating_point() or len(input.shape) > 1):
        return of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing)
    check_classes(input, target, weight)
    rows, classes = rows_of_scores(input), in_a_row(target)
    losses = cross_entropy_rows(rows, classes, ignore_index)
    if label_smoothing:
        spread = along_rows(rows, 1, log=True)
        spread = -(spread if weight is None else spread * weight).mean(1)
        spread = spread.where(classes != ignore_index, 0.0) * label_smoothing
        losses = losses * (1.0 - label_smoothing)
        return weighted(losses, input, target, weight, ignore_index, reduction, spread)
    return weighted(losses, input, target, weight, ignore_index, reduction)


def of_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, smoothing: float
) -> Tensor:
    """Cross-entropy against a distribution over the classes, for each row and place."""
    if not target.is_floating_point():
        raise RuntimeError(f"Expected floating point type for target with class probabilities, got {target.dtype}")
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    axis = min(1, len(input.shape) - 1)
    classes = input.shape[axis]
    check_weight(weight, classes)
    if smoothing:
        target = target * (1.0 - smoothing) + smoothing / classes
    scores = along_rows(input, axis, log=True) * target
    if weight is not None:
        scores = scores * weight.reshape((classes, *[1] * (len(input.shape) - axis - 1)))
    losses = -scores.sum(axis)
    return losses.sum() / losses.numel() if reduction == "mean" else reduced(losses, reduction)


def rows_of_scores(x: Tensor) -> Tensor:
    """(rows, classes, d₁, ...) as (rows · d₁ · ..., classes); (classes,) as one row."""
    if len(x.shape) == 2:
        return x
    if len(x.shape) == 1:
        return x.unsqueeze(0)
    return x.permute(0, *range(2, len(x.shape)), 1).reshape(-1, x.shape[1])


def in_a_row(target: Tensor) -> Tensor:
    """Class numbers (rows, d₁, ...) as (rows · d₁ · ...,)."""
    return target if len(target.shape) == 1 else target.reshape(-1)


def chosen(rows: Tensor, classes: Tensor, ignore_index: int) -> Tensor:
    """x[t] of each row; 0 where the class is the ignored one."""
    counted = classes != ignore_index
    found = rows.gather(1, classes.where(counted, 0).unsqueeze(1)).squeeze(1)
    return found.where(counted, 0.0)


def weighted(
    losses: Tensor,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    extra: Tensor | None = None,
) -> Tensor:
    """The losses of all rows times the weights of their classes, plus `extra`, reduced."""
    shares = None
    if weight is not None:
        classes = in_a_row(target)
        shares = chosen(weight.to_kind(input.kind).expand(losses.shape[0], -1), classes, ignore_index)
        losses = losses * shares
    if extra is not None:
        losses = losses + extra
    if reduction == "none":
        return losses if losses.shape == target.shape else losses.reshape(target.shape)
    if reduction == "sum":
        return losses.sum()
    if shares is not None:
        return losses.sum() / shares.sum()
    return losses.sum() / (target != ignore_index).sum()  # a tensor: nobody waits for the number


def check_weight(weight: Tensor | None, classes: int) -> None:
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}"
        )


def check_classes(input: Tensor, target: Tensor, weight: Tensor | None) -> None:
    """Do the shapes and dtypes of scores, class numbers and weights fit together? The types of error are PyTorch's."""
    if not input.shape:
        raise ValueError(f"Expected 1 or more dimensions (got {len(input.shape)})")
    if len(input.shape) > 1 and target.shape[:1] != input.shape[:1]:
        given = target.shape[0] if target.shape else "none"
        raise ValueError(f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({given}).")
    wanted = (*input.shape[:1], *input.shape[2:]) if len(input.shape) > 1 else ()
    if target.shape != wanted and (len(input.shape) > 1 or target.shape != (1,)):
        raise RuntimeError(
            f"Expected target size {list(wanted)}, got {list(target.shape)}: one class number for each row"
        )
    if target.kind.dtype is not int64:
        raise RuntimeError(
            f"expected scalar type Long but found {target.kind.dtype.name}: targets are class numbers; use .long()"
        )
    if not input.is_floating_point():
        raise NotImplementedError(f"scores must be floating, got {input.dtype}: use .float()")
    check_weight(weight, input.shape[min(1, len(input.shape) - 1)])


def check_bounds(input: Tensor, target: Tensor, ignore_index: int) -> None:
    """IndexError for a target that is not a class."""
    classes = input.shape[min(1, len(input.shape) - 1)]
    bad = (target != ignore_index) & ((target < 0) | (target >= classes))
    if target.numel() and says_wrong(bad.any()):
        raise IndexError(f"Target is out of bounds: the classes are 0 to {classes - 1}")
