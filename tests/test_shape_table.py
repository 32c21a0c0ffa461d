"""Shapes: joining, cutting up, repeating and reordering, as a table; and what changes a tensor's own shape in place."""

import itertools

import pytest
from oracle import fixed, integers, parity, row

import tinygrad_edu as tg

ROWS = [
    row("reshape", lambda m, x: (x.reshape(3, -1), m.reshape(x, (6,)), x.reshape(shape=(2, 3, 1)), x.reshape([6])),
        (2, 3)),
    row("view", lambda m, x, y: (x.view(3, 2), x.view(-1), x.view_as(y), x.reshape_as(y), x.view(size=(6,))),
        (2, 3), (3, 2), layouts=["contiguous"]),
    row("empty", lambda m, x: (x.reshape(3, 0, 2), x.flatten(), x.unsqueeze(-1), x.repeat(2, 2), x.flip(0), x.t(),
        x.narrow(0, 0, 0),
                               x.repeat_interleave(2, 0), x.tril(), x.rot90()), (0, 3), gradient=False),
    row("0-d", lambda m, x: (x.reshape(1, 1), x.flatten(), x.unsqueeze(0), x.squeeze(), x.squeeze(0), x.expand(2, 2),
        x.t(),
                             x.repeat(3), x.tile(2), x.permute(()), x.transpose(0, -1), x.flip(()), m.atleast_3d(x)),
        ()),
    row("flatten", lambda m, x: (x.flatten(), x.flatten(1), m.flatten(x, start_dim=0, end_dim=-2), x.ravel()), (2, 3,
        4)),
    row("unflatten", lambda m, x: (x.unflatten(1, (3, -1)), m.unflatten(x, -1, [2, 3, 1])), (2, 6)),
    row("permute", lambda m, x: (x.permute(2, 0, 1), x.permute((0, -1, 1)), m.permute(x, dims=(1, 0, 2)),
        x.permute(dims=[2, 1, 0])),
        (2, 3, 4)),
    row("transpose", lambda m, x: (x.transpose(0, -1), m.transpose(x, dim0=1, dim1=2), x.mT, x.swapaxes(0, 1),
                                   m.swapdims(x, 1, 2), m.swapaxes(x, -1, 0)), (2, 3, 4)),
    row("t", lambda m, x, y: (x.t(), x.T, m.t(x), y.t(), x.mT), (2, 3), (4,)),
    row("movedim", lambda m, x: (x.movedim(0, 2), m.movedim(x, (0, 1), (-1, 0)), m.moveaxis(x, source=1, destination=0),
                                 x.moveaxis((2, 0), (0, 1))), (2, 3, 4)),
    row("expand", lambda m, x, y: (x.expand(4, 2, 3), x.expand((-1, 3)), x.expand_as(y), m.broadcast_to(x, (4, 2, 3)),
                                   x.expand(size=(2, 3)), x.broadcast_to((2, 2))), (2, 1), (4, 2, 3)),
    row("squeeze", lambda m, x: (x.squeeze(), x.squeeze(0), x.squeeze(-1), x.squeeze((0, 2)), m.squeeze(x, dim=2),
        x.squeeze(1)),
        (1, 3, 1, 2)),
    row("unsqueeze", lambda m, x: (x.unsqueeze(0), x.unsqueeze(-1), m.unsqueeze(x, dim=1), x[None, :, None]), (2, 3)),
    row("cat", lambda m, x, y: (m.cat([x, y]), m.cat((x, y), dim=0), m.concat([y, x, y]), m.concatenate((x,), -1),
                                m.cat([x, x], axis=1), m.cat(tensors=[x, y])), (2, 3), (4, 3)),
    row("cat dtypes", lambda m, x, i, b: (m.cat([x, i]), m.cat([i, b]), m.cat([x, m.zeros(0)])),
        (3,), integers(0, 5, 3), fixed([True, False])),
    row("stack", lambda m, x, y: (m.stack([x, y]), m.stack((x, y), 1), m.stack([x, y], dim=-1)), (2, 3), (2, 3)),
    row("stacks", lambda m, x, y: (m.hstack([x, y]), m.vstack([x, y]), m.row_stack((x, y)), m.dstack([x, y]),
                                   m.column_stack([x, y, y])), (3,), (3,)),
    row("stacks 2-d", lambda m, x, y: (m.hstack((x, y)), m.vstack([x, x]), m.dstack([x, x]), m.column_stack([x, y])),
        (2, 3), (2, 2)),
    row("atleast", lambda m, x, y, z: (m.atleast_1d(x), m.atleast_2d(x, y), m.atleast_3d((x, y, z)), m.atleast_3d(y)),
        (), (3,), (2, 3)),
    row("broadcast_tensors", lambda m, x, y: m.broadcast_tensors(x, y), (3, 1), (2,)),
    row("cartesian_prod", lambda m, x, y: (m.cartesian_prod(x, y, x), m.cartesian_prod(y)), (3,), (2,)),
    row("combinations", lambda m, x: (m.combinations(x), m.combinations(x, r=3), m.combinations(x, 2, True)), (4,)),
    row("no combinations", lambda m, x: (m.combinations(x, 5), m.combinations(x, r=0)), (4,), gradient=False,
        layouts=["contiguous"]),
    row("block_diag", lambda m, x, y, z: (m.block_diag(x, y, z), m.block_diag(x)), (2, 3), (2,), ()),
    row("block_diag of none", lambda m: m.block_diag(), gradient=False),
    row("narrow", lambda m, x: (x.narrow(1, 1, 2), x.narrow(0, -1, 1), m.narrow(x, 1, start=0, length=1), x.select(1,
        -2)), (2, 3)),
    row("narrow by a tensor", lambda m, x, i: x.narrow(1, i, 1), (2, 3), fixed(1)),
    row("split", lambda m, x: (x.split(2), m.split(x, [1, 3], dim=1), x.split_with_sizes((4, 1)), x.split(split_size=9),
                               m.split_with_sizes(x, [2, 2], -1)), (5, 4)),
    row("chunk", lambda m, x: (x.chunk(3), m.chunk(x, chunks=2, dim=1), x.chunk(9), x.unbind(), m.unbind(x, 1)), (5,
        4)),
    row("tensor_split", lambda m, x: (x.tensor_split(3), m.tensor_split(x, (1, 3), dim=1), x.tensor_split(sections=7),
                                      x.tensor_split(indices=(-1,)), x.tensor_split((5, 1), 1)), (5, 4)),
    row("tensor_split by a tensor", lambda m, x, i, n: (x.tensor_split(i), x.tensor_split(n, 1)), (5, 4), fixed([1,
        2]), fixed(3)),
    row("hsplit", lambda m, x: (x.hsplit(2), m.hsplit(x, [1, 2]), x.vsplit(2), m.vsplit(x, (1,)), x[:, 0].hsplit(2)),
        (4, 6)),
    row("dsplit", lambda m, x: (x.dsplit(2), m.dsplit(x, [1, 3])), (2, 3, 4)),
    row("repeat", lambda m, x: (x.repeat(2, 1), x.repeat((2, 3, 1)), x.repeat(1, 0), x.repeat(repeats=(1, 2))), (2, 3)),
    row("tile", lambda m, x: (x.tile(2), m.tile(x, (2, 1, 2)), m.tile(x, dims=(3,))), (2, 3)),
    row("repeat_interleave", lambda m, x, n: (x.repeat_interleave(2), m.repeat_interleave(x, 3, dim=1),
        x.repeat_interleave(n, 0),
                                              x.repeat_interleave(n, dim=0, output_size=4), x.repeat_interleave(0, -1),
                                              x.repeat_interleave(n[1:2], 1)), (3, 2), fixed([1, 0, 3])),
    row("repeat_interleave counts", lambda m, n: (m.repeat_interleave(n), m.repeat_interleave(n.int())), fixed([2, 0,
        1]), gradient=False),
    row("flip", lambda m, x: (x.flip(0), m.flip(x, [0, -1]), m.flip(x, dims=(1,)), x.fliplr(), m.flipud(x)), (2, 3)),
    row("roll", lambda m, x: (x.roll(1), m.roll(x, shifts=(1, -1), dims=(0, 1)), x.roll(-7, 1), x.roll((1, 2), (0,
        0))), (2, 3)),
    row("rot90", lambda m, x: tuple(x.rot90(k, [0, 2]) for k in (-1, 0, 1, 2, 3)) + (m.rot90(x), x.rot90(dims=(1,
        0))), (2, 3, 2)),
    row("tril", lambda m, x: (x.tril(), m.triu(x, 1), x.tril(diagonal=-1), x.triu(-5)), (2, 3, 4)),
    row("clone", lambda m, x: (x.clone(), m.clone(x, memory_format=None) if m is tg else x.clone(), x.contiguous()),
        (2, 3)),
    row("facts", lambda m, x: (x.element_size(), x.itemsize, x.nbytes, x[1:, 1:].storage_offset(), x.numel(),
        x.ndimension(), x.size(-1),
                               x.stride(), x.stride(0), x[None].stride(), x[:, None].stride(), x.is_same_size(x[:1]),
        m.numel(x)),
        (2, 3), gradient=False),
    row("broadcast_shapes", lambda m: (list(m.broadcast_shapes((2, 1), 3)), list(m.broadcast_shapes((1,), (4, 1,
        1)))), gradient=False),
]  # fmt: skip

REFUSED = {
    "reshape": lambda m: m.zeros(2, 3).reshape(4, -1),
    "hstack": lambda m: m.hstack([m.zeros(1, 1), m.zeros(1)]),
    "reshape twice -1": lambda m: m.zeros(2, 3).reshape(-1, -1),
    "reshape -2": lambda m: m.zeros(2, 3).reshape(-2, 3),
    "reshape empty": lambda m: m.zeros(0, 3).reshape(0, -1),
    "reshape float": lambda m: m.zeros(2, 3).reshape(2.0, 3),
    "view of a transpose": lambda m: m.zeros(2, 3).t().view(6),
    "permute": lambda m: m.zeros(2, 3).permute(0, 0),
    "permute too few": lambda m: m.zeros(2, 3).permute(0),
    "permute out of range": lambda m: m.zeros(2, 3).permute(0, 2),
    "transpose": lambda m: m.zeros(2, 3).transpose(0, 2),
    "t": lambda m: m.zeros(2, 3, 4).t(),
    "mT": lambda m: m.zeros(2).mT,
    "expand": lambda m: m.zeros(2, 3).expand(3, 3),
    "expand fewer": lambda m: m.zeros(2, 3).expand(3),
    "expand new -1": lambda m: m.zeros(2, 3).expand(-1, 2, 3),
    "squeeze": lambda m: m.zeros(2, 3).squeeze(2),
    "squeeze twice": lambda m: m.zeros(1, 3).squeeze((0, -2)),
    "unsqueeze": lambda m: m.zeros(2, 3).unsqueeze(3),
    "flatten": lambda m: m.zeros(2, 3).flatten(1, 0),
    "unflatten": lambda m: m.zeros(2, 3).unflatten(1, (2, 2)),
    "movedim": lambda m: m.zeros(2, 3).movedim((0, 1), (0,)),
    "movedim twice": lambda m: m.zeros(2, 3).movedim((0, 0), (0, 1)),
    "cat of nothing": lambda m: m.cat([]),
    "cat sizes": lambda m: m.cat([m.zeros(2, 3), m.zeros(2, 4)]),
    "cat of a tensor": lambda m: m.cat(m.zeros(2)),
    "cat 0-d": lambda m: m.cat([m.zeros(()), m.zeros(())]),
    "stack sizes": lambda m: m.stack([m.zeros(2), m.zeros(3)]),
    "narrow": lambda m: m.zeros(3).narrow(0, 2, 2),
    "narrow by a float": lambda m: m.zeros(3).narrow(0, m.tensor(1.0), 1),
    "split": lambda m: m.zeros(3).split([1, 1]),
    "chunk": lambda m: m.zeros(3).chunk(0),
    "tensor_split": lambda m: m.zeros(3).tensor_split(0),
    "tensor_split 0-d": lambda m: m.zeros(()).tensor_split(1),
    "hsplit": lambda m: m.zeros(3).hsplit(2),
    "vsplit": lambda m: m.zeros(3).vsplit(1),
    "dsplit": lambda m: m.zeros(3, 2).dsplit(1),
    "repeat": lambda m: m.zeros(2, 3).repeat(2),
    "repeat_interleave": lambda m: m.zeros(2, 3).repeat_interleave(m.tensor([1, 2, 3]), 0),
    "repeat_interleave negative": lambda m: m.zeros(2, 3).repeat_interleave(-1),
    "repeat_interleave negative counts": lambda m: m.zeros(2).repeat_interleave(m.tensor([1, -2]), 0),
    "repeat_interleave floats": lambda m: m.zeros(2).repeat_interleave(m.tensor([1.0, 2.0]), 0),
    "repeat_interleave output_size": lambda m: m.zeros(2).repeat_interleave(m.tensor([1, 2]), 0, output_size=4),
    "flip twice": lambda m: m.zeros(2, 3).flip(0, 0),
    "fliplr": lambda m: m.zeros(2).fliplr(),
    "rot90": lambda m: m.zeros(2, 3).rot90(1, (0, 0)),
    "rot90 1-d": lambda m: m.zeros(2).rot90(),
    "roll": lambda m: m.zeros(2, 3).roll((1, 2), 0),
    "tril": lambda m: m.zeros(3).tril(),
    "cartesian_prod": lambda m: m.cartesian_prod(m.zeros(2, 2)),
    "combinations": lambda m: m.combinations(m.zeros(2, 2)),
    "block_diag": lambda m: m.block_diag(m.zeros(1, 1, 1)),
    "broadcast_tensors": lambda m: m.broadcast_tensors(m.zeros(2), m.zeros(3)),
    "broadcast_shapes": lambda m: m.broadcast_shapes((2,), (3,)),
    "size": lambda m: m.zeros(2).size(1),
}  # fmt: skip

TestShapes = parity(ROWS, REFUSED)

IN_PLACE = {
    "t_": lambda x: x.t_(),
    "transpose_": lambda x: x.transpose_(0, -1),
    "swapaxes_": lambda x: x.swapaxes_(1, 2),
    "swapdims_": lambda x: x.swapdims_(0, 1),
    "squeeze_": lambda x: x.squeeze_(),
    "squeeze_ one": lambda x: x.squeeze_(1),
    "unsqueeze_": lambda x: x.unsqueeze_(-1),
    "tril_": lambda x: x.tril_(),
    "triu_": lambda x: x.triu_(1),
}


@pytest.mark.parametrize("change", IN_PLACE.values(), ids=IN_PLACE)
def test_a_tensor_can_change_its_own_shape(change, torch):
    results = []
    for m in (tg, torch):
        a = m.arange(6.0).reshape(2, 3).requires_grad_()
        y = a * 2.0 if change is IN_PLACE["t_"] else (a * 2.0).reshape(2, 1, 3)
        part = y[1:]
        assert change(y) is y
        y[0] *= a[0, 1]
        (y.exp() * 0.01).sum().backward()
        results.append([tuple(y.shape), tuple(y.stride()), y.tolist(), part.tolist(), a.grad.tolist(), y._version])
    assert results[0][:1] + results[0][2:4] + results[0][5:] == results[1][:1] + results[1][2:4] + results[1][5:]
    flat = [list(itertools.chain(*r[4])) for r in results]
    assert flat[0] == pytest.approx(flat[1], rel=1e-5)


def test_the_shape_of_a_leaf_that_requires_a_gradient_stays(torch):
    for m in (tg, torch):
        x = m.zeros(2, 3, requires_grad=True)
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            x.t_()
        with m.no_grad():
            x.t_()
        assert tuple(x.shape) == (3, 2) and x.requires_grad and x.is_leaf


def test_an_operation_that_saved_the_tensor_refuses_its_new_shape():
    x = tg.ones(2, 3, requires_grad=True) * 2.0
    y = x * x
    x.t_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_data_that_is_assigned_becomes_the_tensors_memory(torch):
    for m in (tg, torch):
        x, other = m.ones(2, requires_grad=True), m.zeros(3)
        x.data = other
        other[0] = 5.0
        assert x.tolist() == [5.0, 0.0, 0.0] and x.requires_grad and x.is_leaf
        with pytest.raises(TypeError):
            x.data = 3.0
        with pytest.raises(RuntimeError, match="floating point"):
            x.data = m.zeros(2, dtype=m.int64)


def test_reversing_the_axes_of_more_than_a_matrix_warns(torch):
    for m in (tg, torch):
        with pytest.warns(UserWarning, match="T` on tensors of dimension other than 2"):
            assert tuple(m.zeros(2, 3, 4).T.shape) == (4, 3, 2)


def test_other_orders_of_memory_are_refused():
    x = tg.zeros(2, 3)
    assert x.is_contiguous() and x.contiguous(memory_format=None) is x and not x.t().is_contiguous()
    with pytest.raises(RuntimeError, match="memory_format"):
        x.contiguous(memory_format="channels_last")


def test_views_share_memory_and_know_where_they_lie():
    x = tg.arange(12.0).reshape(3, 4)
    y = x.t()[1:, 2]
    assert y.storage_offset() == 9 and y.data_ptr() == x.data_ptr() + 9 * 4 and y.is_view()
    y += 1.0
    assert x.tolist()[2] == [8.0, 10.0, 11.0, 12.0]
