"""Tests of the tests, continued: mistakes planted in layers, optimizers, data and files.

The rows are as in test_mutations.py, which says what this is for. Most of these mistakes are made where Python prepares
what a kernel does, so that no kernel is compiled again. Where two readings of one formula would make the same mistake
(an order of gates, a rule about padding), only an independent answer can tell, and the row names a test against
PyTorch.
"""

from __future__ import annotations

import pytest
from test_mutations import Mistake, notice, run_tests

MISTAKES = {
    # Convolution
    "taps stand side by side whatever the dilation": Mistake(
        "kernels/tinygrad_kernels/cpu/convolution.py",
        "[(p, p * dilation % stride, p * dilation // stride) for p in range(kernel)]",
        "[(p, p % stride, p // stride) for p in range(kernel)]",
        "test_convolution.py::test_the_fast_kernels_are_the_seven_loops",
    ),
    "the kernel of a convolution is turned round": Mistake(
        "kernels/tinygrad_kernels/cpu/convolution.py",
        "weights += [c * channel_step * window + at for",
        "weights += [c * channel_step * window + window - 1 - at for",
        "test_convolution.py::test_the_fast_kernels_are_the_seven_loops",
    ),
    "all groups have the weights of the first": Mistake(
        "kernels/tinygrad_kernels/cpu/convolution.py",
        "g.channels * g.features * window, g.batch)",
        "0, g.batch)",
        "test_convolution.py::test_the_fast_kernels_are_the_seven_loops",
    ),
    "the gradient of the weights knows no border": Mistake(
        "kernels/tinygrad_kernels/cpu/convolution.py",
        "p = plan(g._replace(batch=block), False, lanes)",
        "p = plan(g._replace(batch=block, padding=(0, 0)), False, lanes)",
        "test_convolution.py::test_the_fast_kernels_are_the_seven_loops",
    ),
    # Pooling
    "of equal maxima the last one is taken": Mistake(
        "kernels/tinygrad_kernels/cpu/pooling.py",
        "if v > best or v != v:",
        "if v >= best or v != v:",
        "test_pooling.py::test_pairs_and_the_general_kernel_agree_to_the_place",
    ),
    "a mean counts the padding although it should not": Mistake(
        "tinygrad_edu/ops/pooling.py",
        "divisor or max(stop - start if padding_counts else lasts[-1] - first, 1)",
        "divisor or max(stop - start, 1)",
        "test_pooling.py::test_random_arguments_agree_with_pytorch",
    ),
    # Batch norm
    "the running variance is the biased one": Mistake(
        "kernels/tinygrad_kernels/cpu/batch_norm.py",
        "momentum, variance * n / (n - 1.0))",
        "momentum, variance)",
        "test_batch_norm.py::test_running_statistics_are_updated_by_the_unbiased_variance",
    ),
    "momentum is the share of what was": Mistake(
        "kernels/tinygrad_kernels/cpu/batch_norm.py",
        "(1.0 - momentum) * running[channel] + momentum * value",
        "momentum * running[channel] + (1.0 - momentum) * value",
        "test_batch_norm.py::test_running_statistics_are_updated_by_the_unbiased_variance",
    ),
    # Attention
    "a query does not see its own position": Mistake(
        "kernels/tinygrad_kernels/cpu/attention.py",
        "_fill(row[i + 1 :], -np.inf)",
        "_fill(row[max(i, 1) :], -np.inf)",
        "test_attention.py::test_the_kernel_is_the_definition[33-33-17-True-float32]",
    ),
    "scores are not divided by the root of the width": Mistake(
        "tinygrad_edu/ops/attention.py",
        "1.0 / math.sqrt(d) if d else 1.0",
        "1.0",
        "test_attention.py::TestAttention::test_results_and_gradients_are_pytorchs",
    ),
    "the gradient of the queries forgets the scale": Mistake(
        "tinygrad_edu/ops/attention.py",
        "gs = p * (gp - (gp * p).sum(-1, keepdim=True)) * self.scale",
        "gs = p * (gp - (gp * p).sum(-1, keepdim=True))",
        "test_attention.py::TestAttention::test_gradients_are_those_of_differences",
    ),
    # Recurrent layers
    "the first two gates of an LSTM are exchanged": Mistake(
        "kernels/tinygrad_kernels/cpu/recurrent.py",
        "c[i, j] = a[i, 1, j] * c0[i, j] + a[i, 0, j] * a[i, 2, j]",
        "c[i, j] = a[i, 0, j] * c0[i, j] + a[i, 1, j] * a[i, 2, j]",
        "test_recurrent.py::test_only_the_last_state_of_an_lstm_may_be_used",
    ),
    "the gradient of a cell does not pass the forget gate": Mistake(
        "kernels/tinygrad_kernels/cpu/recurrent.py",
        "dc[i, j] *= a[i, 1, j]",
        "dc[i, j] *= one",
        "test_recurrent.py::test_only_the_last_state_of_an_lstm_may_be_used",
    ),
    "the weights of the state meet the state after the step": Mistake(
        "tinygrad_edu/ops/recurrent.py",
        "before = hs[batch * n :] if self.reverse else hs[: steps * batch * n]",
        "before = hs[batch * n :]",
        "test_recurrent.py::test_only_the_last_state_of_an_lstm_may_be_used",
    ),
    # Indexing, products, losses
    "all that equal the largest get the whole gradient of a scatter": Mistake(
        "tinygrad_edu/ops/scattering.py",
        "share = g / counts(is_x, is_v)",
        "share = g",
        "test_indexing_table.py::TestIndexing::test_results_and_gradients_are_pytorchs"
        "[scatter_reduce with zeros and ties-float32-contiguous]",
    ),
    "einsum sums what a later operand names": Mistake(
        "tinygrad_edu/ops/einsum.py",
        "keep = {*result, *(label for _, later in rest[k + 1 :] for label in later)}",
        "keep = {*result}",
        "test_products.py::test_einsum_is_numpys",
    ),
    "the mean of weighted losses divides by their number": Mistake(
        "tinygrad_edu/nn/functional/classification.py",
        "return losses.sum() / shares.sum()",
        "return losses.mean()",
        "test_losses.py::test_cross_entropy_and_nll_are_pytorchs",
    ),
    # Optimizers and schedules
    "the second loop of LBFGS takes its shares in the order of the first": Mistake(
        "tinygrad_edu/optim/lbfgs.py",
        "zip(changes, steps, inverse, reversed(shares), strict=True)",
        "zip(changes, steps, inverse, shares, strict=True)",
        "test_optim_table.py::test_lbfgs_walks_as_pytorchs",
    ),
    "a decoupled decay is added to the gradient": Mistake(
        "tinygrad_edu/optim/rules.py",
        "if decay and decoupled:\n        return p * rate[0], g",
        "if decay and decoupled:\n        return p, g + (1.0 - rate[0]) * p",
        "test_optim_table.py::test_trajectories_of_120_steps_are_pytorchs"
        "[AdamW-{'lr': 0.02, 'weight_decay': 0.1}-float32]",
    ),
    "half a cosine is a whole one": Mistake(
        "tinygrad_edu/optim/lr_scheduler.py",
        "quotient = (1 + math.cos(math.pi * t / T))",
        "quotient = (1 + math.cos(2 * math.pi * t / T))",
        "test_lr_scheduler.py::test_rates_are_pytorchs[CosineAnnealingLR-options4]",
    ),
    # Data, checkpoints, files
    "an order is drawn without a seed of its own": Mistake(
        "tinygrad_edu/utils/data/sampler.py",
        "random.Generator().manual_seed(draw_seed()) if own is None else own",
        "random.default_generator if own is None else own",
        "test_data.py::test_samplers_give_pytorchs_orders",
    ),
    "what is computed again draws other numbers": Mistake(
        "tinygrad_edu/utils/checkpoint.py",
        "random.default_generator.set_state(state)",
        "pass",
        "test_checkpoint.py::test_values_gradients_and_random_numbers_are_those_of_a_plain_call",
    ),
    "one number is saved as a line of one": Mistake(
        "tinygrad_edu/serialization.py",
        "np.ascontiguousarray(x.cpu().numpy()).reshape(tuple(x.shape))",
        "np.ascontiguousarray(x.numpy())",
        "test_serialization.py::test_what_is_saved_is_loaded_as_it_was",
    ),
    "tied weights come back as two": Mistake(
        "tinygrad_edu/serialization.py",
        "if key not in names:",
        "if True:",
        "test_serialization.py::test_a_tensor_that_occurs_twice_is_one_tensor_again",
    ),
}


def test_the_tests_pass_where_no_mistake_is(library, torch):
    """A sixth of them, in the copy: the suite itself runs them all."""
    done = run_tests(library, *sorted({row.noticed_by for row in MISTAKES.values()})[::6])
    assert done.code == 0 and "skipped" not in done.report, done.report


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_noticed(name, library, torch):
    notice(MISTAKES[name], library)
