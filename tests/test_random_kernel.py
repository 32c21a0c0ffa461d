"""The CPU's random numbers are PyTorch's: the same words, the same arithmetic."""

import math
import threading

import numpy as np
import pytest
from tinygrad_kernels.cpu.random import CHUNK, Generator

F4, F8 = np.float32, np.float64
INTEGERS = (np.uint8, np.int8, np.int16, np.int32, np.int64)
# Around a block of words, around 16 normals, around a chunk of one-word and two-word elements.
SIZES = (0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 311, 312, 313, 623, 624, 625, 1249, CHUNK // 2 + 1, CHUNK + 1)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def drawn(generator, method, n, dtype, *arguments, **keywords):
    out = np.empty(n, dtype)
    assert getattr(generator, method)(out, *arguments, **keywords) is None
    return out


def tensor(torch, n, dtype):
    return torch.from_numpy(np.empty(n, dtype))


def assert_same(ours, theirs):
    assert ours.dtype == theirs.numpy().dtype
    np.testing.assert_array_equal(ours, theirs.numpy())


# -- the stream, pinned without PyTorch (values printed by PyTorch 2.13, seed 42) -----------------------------
GOLDEN = [
    ("uniform", F4, (), [0.8822692632675171, 0.9150039553642273, 0.38286375999450684, 0.9593056440353394]),
    ("uniform", F8, (), [0.05815448596142969, 0.06291016742457756, 0.12358607277440903]),
    ("uniform", F4, (-0.3, 0.7), [0.5822692513465881, 0.6150039434432983, 0.08286374807357788]),
    ("normal", F4, (), [0.33669036626815796, 0.12880940735340118, 0.23446236550807953]),
    ("integers", np.int64, (-5, 7), [1, 6, -1, 5, 1, 6, -1, 3]),
    ("integers", np.int64, (0, 2**40), [441507790259, 395924837646, 458615280711]),
    ("permutation", np.int64, (), [6, 4, 0, 7, 5, 8, 3, 2, 1]),
    ("bernoulli", F4, (0.3,), [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
    ("random", np.int64, (), [6909045637428952499, 8314211556539077902]),
]


@pytest.mark.parametrize("method, dtype, arguments, values", GOLDEN)
def test_known_values(method, dtype, arguments, values):
    out = drawn(Generator(42), method, len(values), dtype, *arguments)
    np.testing.assert_array_equal(out, np.array(values, dtype))


def test_known_values_to_the_last_places_of_the_c_library():
    normals = drawn(Generator(42), "normal", 18, F8)
    expected = [0.2995562877502637, 0.24237779080894106, 1.2494118796915765 - 1]
    np.testing.assert_allclose(normals[[0, 1, 16]], expected, rtol=1e-14)
    exponentials = drawn(Generator(42), "exponential", 2, F8)
    np.testing.assert_allclose(exponentials, [0.059914015690802146, 0.0649761287933853], rtol=1e-15)


# -- equal to PyTorch ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", [0, 1, 42, 2**31 - 1, 2**32 - 1, 2**32 + 5, -3, -(2**63), 2**64 - 1])
def test_every_seed_gives_pytorchs_stream(torch, seed):
    ours, theirs = Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
    assert ours.initial_seed() == theirs.initial_seed()
    assert_same(drawn(ours, "uniform", 1000, F4), torch.rand(1000, generator=theirs))


def test_generator_without_a_seed_is_pytorchs(torch):
    assert Generator().initial_seed() == torch.Generator().initial_seed()
    assert_same(drawn(Generator(), "uniform", 9, F4), torch.rand(9, generator=torch.Generator()))


CALLS = [
    *(
        ("uniform", "uniform_", dtype, bounds)
        for dtype in (F4, F8)
        for bounds in [(), (-0.3, 0.7), (1e-3, 1e5), (2, 2)]
    ),
    *(("integers", "random_", dtype, bounds) for dtype in (*INTEGERS, F4, F8) for bounds in [(0, 1), (0, 2), (3, 100)]),
    *(("integers", "random_", dtype, (-5, 7)) for dtype in (np.int8, np.int16, np.int32, np.int64, F4, F8)),
    *(("integers", "random_", np.int64, (-9, -9 + 2**k + d)) for k in (28, 32, 33, 62) for d in (-1, 0, 1)),
    ("integers", "random_", np.int32, (-(2**31), 2**31 - 1)),
    ("integers", "random_", np.int64, (-(2**63), 2**63 - 1)),
    ("integers", "random_", np.bool_, (0, 2)),
    *(("random", "random_", dtype, ()) for dtype in (np.bool_, *INTEGERS, F4, F8)),
]


@pytest.mark.parametrize("ours, theirs, dtype, bounds", CALLS)
def test_equal_to_pytorch_at_every_size(torch, ours, theirs, dtype, bounds):
    generator, oracle = Generator(7), torch.Generator().manual_seed(7)
    for n in SIZES:  # one stream, so that every size also starts at another place of a block
        expected = getattr(tensor(torch, n, dtype), theirs)(*bounds, generator=oracle)
        assert_same(drawn(generator, ours, n, dtype, *bounds), expected)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_permutation_is_pytorchs(torch, dtype):
    generator, oracle = Generator(3), torch.Generator().manual_seed(3)
    for n in SIZES:
        expected = torch.randperm(n, generator=oracle, dtype=getattr(torch, np.dtype(dtype).name))
        assert_same(drawn(generator, "permutation", n, dtype), expected)


@pytest.mark.parametrize("dtype", [F4, F8])
@pytest.mark.parametrize("mean, std", [(0, 1), (0.3, 2.5), (-100, 1e-3), (1, 0)])
def test_few_normals_are_pytorchs_and_share_one_spare(torch, dtype, mean, std):
    generator, oracle = Generator(4), torch.Generator().manual_seed(4)
    for n in (1, 2, 3, 0, 1, 15, 8, 1, 7, 14):
        other = F8 if n == 8 else dtype  # the spare outlives a change of dtype, and uniforms in between
        expected = tensor(torch, n, other).normal_(mean, std, generator=oracle)
        assert_same(drawn(generator, "normal", n, other, mean, std), expected)
        assert_same(drawn(generator, "uniform", 3, F4), torch.rand(3, generator=oracle))


@pytest.mark.parametrize("mean, std", [(0, 1), (0.3, 2.5)])
@pytest.mark.parametrize("dtype, tolerance", [(F4, 1e-6), (F8, 1e-14)])
def test_many_normals_are_close_to_pytorchs(torch, dtype, tolerance, mean, std):
    generator, oracle = Generator(5), torch.Generator().manual_seed(5)
    for n in (16, 17, 31, 32, 33, 624, 1000, 1023, 1024, 1025, 100_003):
        ours = drawn(generator, "normal", n, dtype, mean, std)
        theirs = tensor(torch, n, dtype).normal_(mean, std, generator=oracle).numpy()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * std)
        assert_same(drawn(generator, "uniform", 3, F4), torch.rand(3, generator=oracle))  # as many words taken


def test_many_normals_leave_the_spare_alone(torch):
    generator, oracle = Generator(6), torch.Generator().manual_seed(6)
    for n in (1, 40, 1):
        expected = torch.randn(n, dtype=torch.float64, generator=oracle).numpy()
        np.testing.assert_allclose(drawn(generator, "normal", n, F8), expected, rtol=0, atol=1e-14)


def test_normals_of_a_tensor_that_is_not_contiguous(torch):
    theirs = torch.empty(5, 16)[:, ::2].normal_(generator=torch.Generator().manual_seed(8))
    assert_same(drawn(Generator(8), "normal", 40, F4, contiguous=False), theirs.flatten())


def test_uniform_float64_is_rounded_once():
    """u * span + low, exact in integers and rounded once by the division."""
    u = drawn(Generator(1), "uniform", 500, F8)
    low, high = 0.1, 0.7
    span = high - low
    exact = [int(x * 2**53) * int(span * 2**53) + int(low * 2**60) * 2**46 for x in u]
    np.testing.assert_array_equal(drawn(Generator(1), "uniform", 500, F8, low, high), [e / 2**106 for e in exact])


def takes_mkl(torch, fill):
    """Whether PyTorch filled from MKL, as on some Intel machines: that takes one word of the stream, not 2 each."""
    oracle = torch.Generator().manual_seed(9)
    fill(torch.empty(100), oracle)
    generator = Generator(9)
    drawn(generator, "uniform", 1, F4)
    return torch.rand(1, generator=oracle).item() == drawn(generator, "uniform", 1, F4)[0]


@pytest.mark.parametrize("p", [0, 0.3, 0.5, 1])
@pytest.mark.parametrize("dtype", [F4, F8, np.int64, np.bool_])
def test_bernoulli_is_pytorchs_portable_one(torch, dtype, p):
    if takes_mkl(torch, lambda x, oracle: x.bernoulli_(0.5, generator=oracle)):
        pytest.skip("on this processor PyTorch's bernoulli_ uses MKL's stream")
    generator, oracle = Generator(9), torch.Generator().manual_seed(9)
    for n in SIZES:
        expected = tensor(torch, n, dtype).bernoulli_(p, generator=oracle)
        assert_same(drawn(generator, "bernoulli", n, dtype, p), expected)


@pytest.mark.parametrize("dtype", [F4, F8])
def test_exponential_is_pytorchs_portable_one(torch, dtype):
    if takes_mkl(torch, lambda x, oracle: x.exponential_(generator=oracle)):
        pytest.skip("on this processor PyTorch's exponential_ uses MKL's stream")
    generator, oracle = Generator(9), torch.Generator().manual_seed(9)
    for n in SIZES:
        expected = tensor(torch, n, dtype).exponential_(generator=oracle)
        assert_same(drawn(generator, "exponential", n, dtype), expected)


# -- state ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("before", [0, 1, 623, 624, 625, CHUNK])
def test_a_saved_state_continues_the_stream(before):
    generator = Generator(5)
    drawn(generator, "uniform", before, F4)
    drawn(generator, "normal", 1, F4)
    state = generator.get_state()
    expected = drawn(generator, "normal", 3, F8), drawn(generator, "uniform", 1000, F4)
    for saved in (state, state.tobytes()):
        again = Generator(1).set_state(saved)
        assert again.initial_seed() == 5
        np.testing.assert_array_equal(drawn(again, "normal", 3, F8), expected[0])
        np.testing.assert_array_equal(drawn(again, "uniform", 1000, F4), expected[1])


@pytest.mark.parametrize("normals", [0, 1])
@pytest.mark.parametrize("before", [0, 1, 620, 623, 624, 625, 1248])
def test_the_state_is_pytorchs_byte_by_byte(torch, before, normals):
    generator, oracle = Generator(5), torch.Generator().manual_seed(5)
    drawn(generator, "uniform", before, F4), torch.rand(before, generator=oracle)
    drawn(generator, "normal", normals, F4), torch.randn(normals, generator=oracle)
    assert_same(generator.get_state(), oracle.get_state())
    ours = Generator(1).set_state(oracle.get_state().numpy())
    theirs = torch.Generator().set_state(torch.from_numpy(generator.get_state()))
    assert_same(ours.get_state(), oracle.get_state())
    assert_same(drawn(ours, "uniform", 2000, F4), torch.rand(2000, generator=theirs))


def test_manual_seed_forgets_the_spare():
    generator = Generator(5)
    first = drawn(generator, "normal", 1, F8)
    np.testing.assert_array_equal(drawn(generator.manual_seed(5), "normal", 1, F8), first)


def test_seed_starts_another_stream_each_time():
    generator = Generator()
    seeds = {generator.seed() for _ in range(4)}
    assert len(seeds) == 4 and generator.initial_seed() in seeds


def test_creating_a_generator_creates_no_twister(monkeypatch):
    monkeypatch.setattr(np.random, "RandomState", None)
    assert Generator(3).manual_seed(4).initial_seed() == 4


def test_threads_share_a_stream_without_losing_or_repeating_a_word():
    generator, parts = Generator(11), []

    def work():
        for _ in range(200):
            parts.append(drawn(generator, "uniform", 37, F4))

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads], [t.join() for t in threads]
    expected = drawn(Generator(11), "uniform", 4 * 200 * 37, F4).reshape(-1, 37)
    assert sorted(map(bytes, parts)) == sorted(map(bytes, expected))


# -- errors --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed, error", [(2**64, ValueError), (-(2**63) - 1, ValueError), (1.5, RuntimeError)])
def test_seeds_pytorch_refuses(seed, error):
    with pytest.raises(error):
        Generator().manual_seed(seed)


REFUSED = [
    ("uniform", F4, (2, 1), "but found from=2 > to=1"),
    ("uniform", F4, (-3e38, 3e38), "to - from <= "),
    ("normal", F4, (0, -1), "expects std >= 0.0, but found std -1"),
    ("normal", F4, (0, math.nan), "expects std >= 0.0"),
    ("bernoulli", F4, (1.5,), "expects p to be in \\[0, 1\\], but got p=1.5"),
    ("integers", np.int64, (3, 3), "'from' to be less than 'to', but got from=3 >= to=3"),
    ("integers", np.uint8, (0, 300), "to - 1 is out of bounds for uint8"),
    ("integers", np.uint8, (-1, 3), "from is out of bounds for uint8"),
]


@pytest.mark.parametrize("method, dtype, arguments, message", REFUSED)
def test_parameters_pytorch_refuses(method, dtype, arguments, message):
    with pytest.raises(RuntimeError, match=message):
        drawn(Generator(), method, 4, dtype, *arguments)


@pytest.mark.parametrize("state", [np.zeros(10, np.uint8), np.zeros(5056, np.uint8)])
def test_states_pytorch_refuses(state):
    with pytest.raises(RuntimeError):
        Generator().set_state(state)


@pytest.mark.parametrize("out", [np.empty((2, 2), F4), np.empty(8, F4)[::2]])
@pytest.mark.parametrize("method", ["uniform", "normal", "permutation", "random"])
def test_only_flat_contiguous_arrays_are_filled(method, out):
    with pytest.raises(ValueError, match="flat and contiguous"):
        getattr(Generator(), method)(out)


def test_uniform_refuses_integers():
    with pytest.raises(TypeError, match="float32 or float64"):
        Generator().uniform(np.empty(3, np.int64))
