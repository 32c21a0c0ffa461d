"""Looking inside: `show` prints what is compiled, traces print what the engine does, drawings are true to the graph."""

from __future__ import annotations

import io
import math
import re
import subprocess
import sys
import textwrap
import time
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinygrad_kernels.cache import load_source
from tinygrad_kernels.calculus import OPERATIONS, Tanh
from tinygrad_kernels.codegen import Signature, print_flat
from tinygrad_kernels.expr import forward_formula

import tinygrad_edu as tg
from tinygrad_edu import Value, drawing, showing
from tinygrad_edu.drawing import Box, Layout, draw, spread
from tinygrad_edu.showing import show

SVG = "{http://www.w3.org/2000/svg}"
DRAWN = settings(max_examples=60, deadline=None, derandomize=True)


# show -------------------------------------------------------------------------------------------------------------
def shown(op, dtype="float32"):
    text = io.StringIO()
    show(op, dtype, file=text)
    return text.getvalue()


def test_show_prints_the_formula_the_trace_and_the_loops():
    text = shown("sigmoid")
    assert "return 1.0 / (1.0 + exp(-x))" in text  # as written
    assert "sigmoid(x) = 1.0 / (1.0 + exp(-x))" in text  # as traced
    assert "sigmoid_backward_x(g, out) = g * ((1.0 - out) * out)" in text
    assert text.count("def loop(") == 2
    assert "result[i] = float32(1.0) / (float32(1.0) + exp(-x[i]))" in text


def test_show_prints_to_standard_output_and_gives_nothing(capsys):
    assert show("add") is None
    assert capsys.readouterr().out == shown("add")


@pytest.mark.parametrize("op", ["tanh", tg.tanh, tg.Tensor.tanh, Value.tanh, Tanh, math.tanh])
def test_show_takes_a_name_a_function_or_a_class(op):
    assert shown(op) == shown("tanh")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool", tg.float64])
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_show_has_every_operation_in_every_dtype(name, dtype):
    text = shown(name, dtype)
    loops = re.findall(r"def loop\(", text)
    has_gradient = OPERATIONS[name].differentiable and "float" in str(dtype)
    assert f"class {OPERATIONS[name].__name__}(Elementwise):" in text
    assert len(loops) >= 2 if has_gradient else len(loops) == 1


def test_the_loop_that_is_shown_is_the_one_that_is_compiled():
    printed = print_flat(forward_formula(OPERATIONS["mul"]), Signature(["float32"] * 2, ["flat"] * 2, "float32"))
    assert textwrap.indent(printed.rstrip(), "    ", lambda line: line.strip() != "") in shown("mul")


def test_the_loop_that_is_shown_runs():
    block = shown("sigmoid", "float64").partition("The loop of sigmoid_backward_x\n\n")[2]
    loop = load_source(textwrap.dedent(block), "shown").loop
    g, out = np.array([2.0, 1.0]), np.array([0.5, 0.25])
    result = np.empty(2)
    loop(result, g, out)
    assert result.tolist() == [0.5, 0.1875]


def test_integers_become_floats_where_the_library_does_that():
    assert "exp(-float32(x[i]))" in shown("sigmoid", "int64")
    assert "int64 has no gradients" in shown("sigmoid", "int64")


def test_a_comparison_is_shown_without_a_derivative():
    assert "no derivative" in shown("lt")


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ("sigmiod", "'sigmiod' is not an elementwise operation; did you mean 'sigmoid'"),
        ("zzz", "there are \\['abs'"),
        (3.0, "3.0 is not an elementwise operation"),
        (tg.matmul, "'matmul' is not an elementwise operation"),
    ],
)
def test_an_unknown_operation_is_a_value_error_with_the_nearest(op, message):
    with pytest.raises(ValueError, match=message):
        show(op)


@pytest.mark.parametrize(("dtype", "message"), [("flaot32", "did you mean 'float32'"), (7, "there are")])
def test_an_unknown_dtype_is_a_value_error_with_the_nearest(dtype, message):
    with pytest.raises(ValueError, match=message):
        show("add", dtype)


# backward(trace=True) ---------------------------------------------------------------------------------------------
@pytest.fixture
def traced(monkeypatch, capsys):
    """A function: x -> what its backward(trace=True) prints, without the explanation at the top."""
    monkeypatch.setattr(showing, "print_step", showing.Steps())

    def run(x, **kwargs):
        x.backward(trace=True, **kwargs)
        return capsys.readouterr().out.replace(showing.EXPLANATION + "\n", "")

    return run


def test_the_counter_example_is_walked_in_sorted_order(traced):
    """b = a + a; c = b + b: b has one step, with the whole of its gradient, 2; a gets 4."""
    a = Value(2.0, label="a")
    b = a + a
    c = b + b
    b.label, c.label = "b", "c"
    assert traced(c).split("\n") == [
        "1. c = b + b = 8, g = 1",
        "     dc/db = 1 at b = 4: b is sent 1 * 1 = 1",
        "     dc/db = 1 at b = 4: b is sent 1 * 1 = 1, 2 in all",
        "2. b = a + a = 4, g = 2",
        "     db/da = 1 at a = 2: a is sent 2 * 1 = 2",
        "     db/da = 1 at a = 2: a is sent 2 * 1 = 2, 4 in all",
        "",
    ]
    assert a.grad == 4.0


def test_values_without_labels_are_numbered_and_keep_their_number(traced):
    x = Value(0.5)
    lines = traced(x.tanh() * x).split("\n")
    assert lines[0].startswith("1. v1 = v2 * v3 = ")
    assert lines[3].startswith("2. v2 = tanh(v3) = ")
    assert "in all" in lines[4]


def test_the_local_derivative_is_that_of_the_calculus(traced):
    x, y = Value(3.0, "x"), Value(5.0, "y")
    text = traced(x * y)
    assert "dv1/dx = 5 at x = 3: x is sent 1 * 5 = 5" in text
    assert "dv1/dy = 3 at y = 5: y is sent 1 * 3 = 3" in text


def test_each_pass_starts_anew(traced):
    x = Value(3.0, "x")
    y = x * x
    assert traced(y) == traced(y)
    assert traced(Value(1.0) + 1.0).startswith("1. v1 = v2 + v3")


def test_a_pass_after_one_that_failed_starts_anew(traced):
    x = Value(3.0, "x")
    y = (x * x).exp()
    showing.print_step(y, 1.0, (1.0,))  # a step, and then an error: x * x never has its own
    assert traced(y.tanh()).splitlines()[-3].startswith("3. ")


def test_the_first_trace_explains_itself_and_later_ones_do_not(monkeypatch, capsys):
    monkeypatch.setattr(showing, "print_step", showing.Steps())
    x = Value(3.0)
    for expected in (1, 0):
        (x * x).backward(trace=True)
        assert capsys.readouterr().out.count(showing.EXPLANATION) == expected


def test_tracing_does_not_change_the_gradient(traced):
    def gradient(**kwargs):
        x = Value(0.3)
        y = (x.sin() * x + 2.0) ** 3 / (x + 1.0)
        y.backward(**kwargs)
        return float(x.grad)

    assert gradient() == gradient(trace=True) == gradient(trace=True, create_graph=True)


def test_the_steps_of_tensors_have_the_traced_formulas(traced):
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    lines = traced((w * tg.tensor([3.0, 4.0])).sum()).splitlines()
    assert lines == [
        "1. t1 = SumBackward0, g = 1",
        "     t2 is sent [1, 1]",
        "2. t2 = MulBackward0, out = x * y, g = [1, 1]",
        "     t3 (leaf), x in the formula, is sent g * y = [3, 4]",
    ]


def test_a_broadcast_operand_is_seen_to_be_sent_a_sum(traced):
    b = tg.tensor([1.0, 2.0], requires_grad=True)
    text = traced((tg.ones(3, 2) + b).sum())
    assert "t3 (leaf), y in the formula, is sent g, summed over the axes along which it was broadcast, = [3, 3]" in text


def test_large_gradients_are_shown_by_dtype_and_shape(traced):
    w = tg.ones(10, 20, requires_grad=True)
    assert "g = float32 [10, 20]" in traced((w * w).sum())


def test_tracing_values_loads_neither_numpy_nor_numba():
    code = """
        import sys
        from tinygrad_edu import Value
        x = Value(2.0)
        (x * x).backward(trace=True)
        from tinygrad_edu.drawing import draw
        draw(x * x)
        assert not {"numpy", "numba"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True)


# draw -------------------------------------------------------------------------------------------------------------
def parsed(picture):
    """(lines of text of each box, [(from, to, argument) of each arrow])"""
    root = ElementTree.fromstring(picture.svg)
    boxes = {}
    for group in root.iter(f"{SVG}g"):
        boxes[int(group.get("data-node"))] = [text.text for text in group.iter(f"{SVG}text")]
    arrows = [
        tuple(int(path.get(f"data-{key}")) for key in ("from", "to", "argument"))
        for path in root.iter(f"{SVG}path")
        if path.get("class") == "edge"
    ]
    return [boxes[k] for k in range(len(boxes))], arrows


def paths(picture):
    found = ElementTree.fromstring(picture.svg).iter(f"{SVG}path")
    return [path.get("d") for path in found if path.get("class") == "edge"]


def test_a_plus_a_has_two_arrows():
    """Trap: with parents in a set, a + a is drawn with one."""
    a = Value(2.0)
    picture = draw(a + a)
    boxes, arrows = parsed(picture)
    assert len(boxes) == 2
    assert arrows == [(0, 1, 0), (0, 1, 1)]
    assert len(set(paths(picture))) == 2  # and they do not lie on each other


def test_two_arrows_are_distinct_also_where_they_go_a_long_way():
    boxes = [Box(["a"], [], True), Box(["b"], [0], False), Box(["c"], [1], False), Box(["d"], [0, 2, 0], False)]
    picture = drawing.Drawing(drawing.svg_text(boxes), 4, 5)
    assert parsed(picture)[1] == [(0, 1, 0), (1, 2, 0), (0, 3, 0), (2, 3, 1), (0, 3, 2)]
    assert len(set(paths(picture))) == 5


def test_arguments_arrive_in_order():
    a, b = Value(1.0, "a"), Value(2.0, "b")
    picture = draw(b - a)
    boxes, arrows = parsed(picture)
    assert [boxes[start][0] for start, _, _ in arrows] == ["b (leaf)", "a (leaf)"]
    heights = [float(path.split()[-1]) for path in paths(picture)]
    assert heights[0] < heights[1]


def test_a_box_has_label_operation_data_and_gradient():
    a = Value(2.0, "a")
    b = a.exp()
    b.label = "b"
    c = b * a
    c.backward()
    boxes, _ = parsed(draw(c))
    assert boxes == [
        ["a (leaf)", "data 2", "grad 22.1672"],
        ["b (exp)", "data 7.38906", "grad 2"],
        ["mul", "data 14.7781", "grad 1"],
    ]


def test_gradients_that_are_values_are_drawn_as_numbers():
    x = Value(2.0)
    (x * x * x).backward(create_graph=True)
    assert parsed(draw(x))[0] == [["leaf", "data 2", "grad 12"]]


@pytest.mark.parametrize("label", ["<&>\"'", "a\x00b", "\ud800", "π²", "]]>", "line\nline"])
def test_any_label_gives_xml(label, tmp_path):
    picture = draw(Value(1.0, label=label) + 1.0, tmp_path / "graph.svg")
    assert len(parsed(picture)[0]) == 3
    assert ElementTree.parse(tmp_path / "graph.svg").getroot().tag == f"{SVG}svg"


def test_labels_are_kept_as_they_are():
    assert parsed(draw(Value(1.0, label='<&> "π"')))[0][0][0] == '<&> "π" (leaf)'


def test_a_notebook_and_a_file_get_the_same_text(tmp_path):
    picture = draw(Value(1.0) * 2.0, str(tmp_path / "graph.svg"))
    assert picture._repr_svg_() == picture.svg == (tmp_path / "graph.svg").read_text(encoding="utf-8")
    assert repr(picture).startswith("<Drawing of 3 nodes and 2 arrows")


def test_a_long_chain_needs_no_recursion():
    x = Value(1.0)
    for _ in range(2000):
        x = x + x
    boxes, arrows = parsed(draw(x))
    assert (len(boxes), len(arrows)) == (2001, 4000)


def test_some_hundred_nodes_take_little_time():
    x = Value(0.1)
    layer = [x * k for k in range(1, 9)]
    for _ in range(4):
        layer = [(layer[k] * layer[k - 1] + layer[k - 3]).tanh() for k in range(8)]
    start = time.perf_counter()
    picture = draw(sum(layer, Value(0.0)))
    assert time.perf_counter() - start < 5.0
    assert picture.boxes > 100


def test_the_graph_of_a_tensor():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    y = (w * tg.tensor([3.0, 4.0])).sum()
    y.backward(retain_graph=True)
    boxes, arrows = parsed(draw(y))
    assert boxes == [
        ["leaf", "float32 [2]", "grad [3, 4]"],
        ["MulBackward0", "float32 [2]", "y [3, 4]"],
        ["SumBackward0", "float32 []", "data 11"],
    ]
    assert arrows == [(0, 1, 0), (1, 2, 0)]


def test_a_tensor_that_was_saved_shows_its_elements():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    boxes, arrows = parsed(draw(w * w))
    assert boxes[0] == ["leaf", "float32 [2]", "data [1, 2]", "grad None"]
    assert arrows == [(0, 1, 0), (0, 1, 1)]


def test_a_graph_that_backward_has_freed_can_still_be_drawn():
    a, b = tg.ones(3, 2, requires_grad=True), tg.ones(2, 3, requires_grad=True)
    y = (a @ b).tanh().sum()
    y.backward()
    boxes, arrows = parsed(draw(y))
    assert len(arrows) == 4
    assert sorted(box[0] for box in boxes) == ["MmBackward0", "SumBackward0", "TanhBackward0", "leaf", "leaf"]


def test_large_tensors_are_shown_by_dtype_and_shape():
    assert parsed(draw(tg.ones(10, 20)))[0] == [["tensor", "float32 [10, 20]"]]


def test_a_retained_gradient_is_drawn():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    y = w.exp()
    y.retain_grad()
    y.sum().backward()
    assert "grad [1, 1]" in parsed(draw(y))[0][-1]


@pytest.mark.parametrize("x", [3.0, "x", None])
def test_only_values_and_tensors_can_be_drawn(x):
    with pytest.raises(TypeError, match="takes a Value or a Tensor"):
        draw(x)


@st.composite
def graphs(data):
    """Boxes that each take up to three arguments from those before."""
    boxes = []
    for k in range(data(st.integers(1, 30))):
        arguments = data(st.lists(st.integers(0, k - 1), max_size=3)) if k else []
        boxes.append(Box(["x" * data(st.integers(1, 12))] * data(st.integers(1, 4)), arguments, not arguments))
    return boxes


@DRAWN
@given(graphs())
def test_arrows_go_to_the_right_and_boxes_do_not_overlap(boxes):
    layout = Layout(boxes)
    layer_of = {place: at for at, layer in enumerate(layout.layers) for place in layer}
    assert len(layout.routes) == sum(len(box.arguments) for box in boxes)
    for (start, to, _), route in layout.routes.items():
        assert (route[0], route[-1]) == (start, to)
        assert [layer_of[place] for place in route] == list(range(layer_of[start], layer_of[to] + 1))
    for layer in layout.layers:
        assert layer, "an empty layer"
        for above, below in zip(layer, layer[1:], strict=False):
            space = (layout.heights[above] + layout.heights[below]) / 2
            assert layout.y[below] - layout.y[above] >= space + drawing.DOWN - 1e-6


@DRAWN
@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 20)), min_size=1, max_size=8), st.data())
def test_spread_finds_the_nearest_places(pairs, data):
    wanted, spaces = [float(w) for w, _ in pairs], [float(s) for _, s in pairs[1:]]
    found = spread(wanted, spaces)
    assert all(b - a >= s - 1e-9 for a, b, s in zip(found, found[1:], spaces, strict=False))

    other = [float(data.draw(st.integers(-80, 80)))]  # any other places that are far enough apart are no nearer
    for s in spaces:
        other.append(other[-1] + s + data.draw(st.integers(0, 30)))

    def distance(places):
        return sum((p - w) ** 2 for p, w in zip(places, wanted, strict=True))

    assert distance(found) <= distance(other) + 1e-6
