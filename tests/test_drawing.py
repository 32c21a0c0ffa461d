"""Pictures of graphs are true to the graph: every box, every arrow, in order, none on another."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Value, drawing
from tinygrad_edu.drawing import Box, Layout, draw, spread

SVG = "{http://www.w3.org/2000/svg}"
DRAWN = settings(max_examples=60, deadline=None, derandomize=True)


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
