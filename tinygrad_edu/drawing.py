"""Drawing a graph: what a result was computed from, as a picture.

The problem. A graph is a list of nodes and of arrows, without places. A good picture has every arrow pointing
to the right, few crossings, and lines that are nearly straight.

The idea. Place it in four steps, each simple:

    1. layers      an operation stands one layer to the right of its last operand (the longest path from a leaf),
                   a leaf just before its first use; so every arrow goes to the right
    2. waypoints   an arrow that spans several layers gets an empty place in each, so it runs between the boxes
    3. order       sort each layer by the mean position of its neighbours in the layer before, then after, and so on
    4. heights     every box wants the mean height of its neighbours; the nearest heights without overlap are found
                   exactly (`spread`)

The picture is text in SVG, so it needs no library: a notebook shows it, a browser opens the file.

Source: K. Sugiyama, S. Tagawa, M. Toda, Methods for visual understanding of hierarchical system structures, 1981;
for step 4, M. Ayer et al., An empirical distribution function for sampling with incomplete information, 1955.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

from .value import Value

CHARACTER, LINE, PADDING = 7.3, 16, 10  # sizes in SVG units: one letter of the font, one line of text, inside a box
ACROSS, DOWN = 56, 16  # space between layers, and between the boxes of a layer
SMALL = 4  # tensors of at most so many elements are shown with their elements


class Drawing:
    """A finished picture: `svg` is its text. A notebook shows it by itself."""

    def __init__(self, svg: str, boxes: int, arrows: int) -> None:
        self.svg, self.boxes, self.arrows = svg, boxes, arrows

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Drawing of {self.boxes} nodes and {self.arrows} arrows; draw(x, 'graph.svg') writes it to a file>"


class Box:
    """A node of the graph as it is drawn: lines of text, and for each argument the number of the box it comes from."""

    __slots__ = ("lines", "arguments", "leaf", "width", "height")

    def __init__(self, lines: list[str], arguments: list[int], leaf: bool) -> None:
        self.lines, self.arguments, self.leaf = lines, arguments, leaf
        self.width = CHARACTER * max(map(len, lines)) + 2 * PADDING
        self.height = float(LINE * len(lines) + PADDING)


def draw(x: Any, path: str | PathLike | None = None) -> Drawing:
    """The graph of a Value or a Tensor as an SVG picture, which is also written to `path` if that is given.

    One box per node, from the leaves on the left to x on the right; one arrow per argument, in order from top to
    bottom. A Value's box has its label, operation, data and gradient. A Tensor's graph has operations, not
    tensors, so a box has what the graph still knows: the gradient of a leaf, and shape, dtype and (up to 4) elements
    of x and of the tensors that were saved for the backward pass; call it before backward() frees those.

    Raises TypeError for anything else.

        >>> a = Value(2.0, label="a")
        >>> draw(a + a)
        <Drawing of 2 nodes and 2 arrows; draw(x, 'graph.svg') writes it to a file>
    """
    boxes = value_boxes(x) if isinstance(x, Value) else tensor_boxes(x)
    drawing = Drawing(svg_text(boxes), len(boxes), sum(len(box.arguments) for box in boxes))
    if path is not None:
        Path(path).write_text(drawing.svg, encoding="utf-8")
    return drawing


def operands_first(root: Any) -> list[Any]:
    """Every node that `root` depends on, and itself, each once and after its operands. Not recursive."""
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, operands_done = stack.pop()
        if operands_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((p, False) for p in reversed(node.parents) if p is not None)
    return order


# What stands in the boxes.
def value_boxes(x: Value) -> list[Box]:
    """One box for each Value that x depends on, operands first."""
    nodes = operands_first(x)
    number_of = {node: k for k, node in enumerate(nodes)}
    boxes = []
    for node in nodes:
        kind = node.op.name if node.op is not None else "leaf"
        lines = [f"{node.label} ({kind})" if node.label else kind]
        lines += [f"data {number(node.data)}", f"grad {number(node.grad)}"]
        boxes.append(Box(lines, [number_of[p] for p in node.parents], not node.parents))
    return boxes


def tensor_boxes(x: Any) -> list[Box]:
    """One box for each node that the tensor x depends on, operands first."""
    from .hooks import kept_gradient
    from .ops.plan import ElementwiseNode
    from .tensors import Tensor

    if not isinstance(x, Tensor):
        raise TypeError(f"draw() takes a Value or a Tensor, not {type(x).__name__}")
    if x.node is None:  # not part of a graph
        return [Box(["tensor", *described(x)], [], True)]
    nodes = operands_first(x.node)
    number_of = {node: k for k, node in enumerate(nodes)}
    known = {x.node: x}  # the tensors that are within reach, by the node that made them
    sizes: dict[Any, Any] = {}  # and (shape, kind) of others
    for node in nodes:
        if isinstance(node, ElementwiseNode):
            sizes[node] = (node.plan.shape, node.plan.kind)
            sizes.update(zip(node.parents, node.plan.targets, strict=True))
        for _, saved in saved_by(node):
            if isinstance(saved, Tensor) and saved.node is not None:
                known.setdefault(saved.node, saved)
    boxes = []
    for node in nodes:
        leaf = node.leaf
        lines = ["leaf" if leaf else node.name()]
        if node in known:
            lines += described(known[node])
        elif node in sizes:
            shape, kind = sizes[node]
            lines.append(f"{kind.dtype.name} {list(shape)}")
        for name, saved in saved_by(node):  # operands outside the graph have no box of their own
            if not isinstance(saved, Tensor):
                lines.append(f"{name} {number(saved)}")
            elif saved.node is None:
                lines.append(f"{name} {brief(saved)}")
        if leaf or (node.watched and node.extras.retains):
            g = kept_gradient(node)
            lines.append("grad None" if g is None else f"grad {brief(g)}")
        boxes.append(Box(lines, [number_of[p] for p in node.parents if p is not None], leaf))
    return boxes


def saved_by(node: Any) -> Iterator[tuple[str, Any]]:
    """(name, tensor or number) for each operand that a node of a Tensor's graph keeps for its derivative."""
    from .ops.plan import ElementwiseNode
    from .tensors import Tensor

    if isinstance(node, ElementwiseNode):
        operands = zip(node.plan.operation.names[1:], node.operands or (), strict=False)
        yield from ((name, x) for name, x in operands if x is not None)
        return
    for cls in type(node).__mro__:
        for slot in getattr(cls, "__slots__", ()):
            found = getattr(node, slot, None) if slot not in ("grad", "arrived") else None
            for x in found if isinstance(found, tuple | list) else (found,):
                if isinstance(x, Tensor):
                    yield slot, x


def described(x: Any) -> list[str]:
    """The lines for a tensor: dtype and shape, and its elements if they are few."""
    lines = [f"{x.dtype.name} {list(x.shape)}"]
    return [*lines, f"data {brief(x)}"] if x.numel() <= SMALL else lines


def brief(x: Any) -> str:
    """A tensor on one line: its elements if they are few, else dtype and shape."""
    return elements(x.tolist()) if x.numel() <= SMALL else f"{x.dtype.name} {list(x.shape)}"


def elements(nested: Any) -> str:
    return f"[{', '.join(map(elements, nested))}]" if isinstance(nested, list) else number(nested)


def number(x: Any) -> str:
    """Six digits of a number, or of a Value's."""
    return str(x) if isinstance(x, bool | int) else f"{float(x):.6g}"


# Where the boxes stand.
def layers_of(boxes: list[Box]) -> list[int]:
    """The layer of each box; boxes come with their operands before them.

    >>> a, b, c = Box(["a"], [], True), Box(["b"], [0, 0], False), Box(["c"], [], True)
    >>> layers_of([a, b, c, Box(["b * c"], [1, 2], False)])
    [0, 1, 1, 2]
    """
    layer: list[int] = []
    first_use: dict[int, int] = {}
    for box in boxes:
        layer.append(1 + max((layer[p] for p in box.arguments), default=-1))
        for p in box.arguments:
            first_use[p] = min(first_use.get(p, layer[-1]), layer[-1])
    return [first_use.get(k, 1) - 1 if box.leaf else layer[k] for k, box in enumerate(boxes)]


class Layout:
    """Boxes and waypoints with their places. Waypoints are numbered after the boxes.

    `routes` has for each arrow (from, to, argument) the places it goes through, both ends included. `layers` lists
    the places of each layer from top to bottom; `y` is the height of each one's middle.
    """

    def __init__(self, boxes: list[Box]) -> None:
        self.boxes = boxes
        layer = layers_of(boxes)
        self.layers: list[list[int]] = [[] for _ in range(max(layer) + 1)]
        for k, at in enumerate(layer):
            self.layers[at].append(k)
        self.heights = [box.height for box in boxes]
        self.before: list[list[tuple[int, float]]] = [[] for _ in boxes]  # neighbours in the layer to the left, and
        self.after: list[list[tuple[int, float]]] = [[] for _ in boxes]  # to the right: (place, part of its height)
        self.routes: dict[tuple[int, int, int], list[int]] = {}
        waypoints: dict[tuple[int, int], int] = {}  # arrows that start at the same box share their way
        for to, box in enumerate(boxes):
            for argument, start in enumerate(box.arguments):
                route = [start]
                for at in range(layer[start] + 1, layer[to]):
                    if (start, at) not in waypoints:
                        waypoints[start, at] = self.add_waypoint(at, after=route[-1])
                    route.append(waypoints[start, at])
                self.link(route[-1], to, (argument + 0.5) / len(box.arguments) - 0.5)
                self.routes[start, to, argument] = [*route, to]
        self.order()
        self.y = self.settle()

    def add_waypoint(self, layer: int, after: int) -> int:
        place = len(self.heights)
        self.heights.append(6.0)
        self.before.append([])
        self.after.append([])
        self.layers[layer].append(place)
        self.link(after, place, 0.0)
        return place

    def link(self, left: int, right: int, port: float) -> None:
        self.before[right].append((left, 0.0))
        self.after[left].append((right, port))

    def sweeps(self) -> Iterator[tuple[list[int], list[list[tuple[int, float]]]]]:
        """Each layer with its neighbours to the left, going right, then with those to the right, going left."""
        for _ in range(4):
            yield from ((layer, self.before) for layer in self.layers[1:])
            yield from ((layer, self.after) for layer in self.layers[-2::-1])

    def order(self) -> None:
        """Sort the layers, in place, so that few arrows cross and the arguments of a box come in order."""
        position = {place: float(k) for layer in self.layers for k, place in enumerate(layer)}
        for layer, neighbours in self.sweeps():
            wanted = {}
            for place in layer:
                found = [position[other] + port for other, port in neighbours[place]]
                wanted[place] = sum(found) / len(found) if found else position[place]
            layer.sort(key=wanted.__getitem__)
            position.update((place, float(k)) for k, place in enumerate(layer))

    def settle(self) -> list[float]:
        """Heights: as near as possible to those of the neighbours."""
        y = [0.0] * len(self.heights)

        def place(layer: list[int], wanted: list[float]) -> None:
            spaces = [DOWN + (self.heights[a] + self.heights[b]) / 2 for a, b in zip(layer, layer[1:], strict=False)]
            for k, found in zip(layer, spread(wanted, spaces), strict=True):
                y[k] = found

        for layer in self.layers:
            place(layer, [0.0] * len(layer))
        for layer, neighbours in self.sweeps():
            wanted = []
            for k in layer:
                found = [y[other] + port * self.heights[other] for other, port in neighbours[k]]
                wanted.append(sum(found) / len(found) if found else y[k])
            place(layer, wanted)
        top = min(middle - height / 2 for middle, height in zip(y, self.heights, strict=True))
        return [middle - top for middle in y]


def spread(wanted: list[float], spaces: list[float]) -> list[float]:
    """Numbers in ascending order, at least `spaces[i]` apart, with the least sum of squared distances from `wanted`.

    Without the spaces this is isotonic regression: as long as two neighbouring groups are in the wrong order, they
    become one group at their common mean.

    >>> spread([0.0, 0.0, 50.0], [10.0, 10.0])
    [-5.0, 5.0, 50.0]
    """
    offsets = [0.0]
    for space in spaces:
        offsets.append(offsets[-1] + space)
    groups: list[tuple[float, int]] = []  # (sum, count) of wanted - offset
    for w, offset in zip(wanted, offsets, strict=True):
        total, count = w - offset, 1
        while groups and groups[-1][0] / groups[-1][1] > total / count:
            before, n = groups.pop()
            total, count = total + before, count + n
        groups.append((total, count))
    means = [total / count for total, count in groups for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


# The text of the picture.
def svg_text(boxes: list[Box]) -> str:
    layout = Layout(boxes)
    left, right, at = [0.0] * len(layout.y), [0.0] * len(layout.y), 0.0  # the edges of each place
    for layer in layout.layers:
        widest = max((boxes[k].width for k in layer if k < len(boxes)), default=0.0)
        for k in layer:
            indent = (widest - boxes[k].width) / 2 if k < len(boxes) else 0.0
            left[k], right[k] = at + indent, at + widest - indent
        at += widest + ACROSS
    width = at - ACROSS
    height = max(y + h / 2 for y, h in zip(layout.y, layout.heights, strict=True))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 20:.0f}" height="{height + 20:.0f}" '
        f'viewBox="-10 -10 {width + 20:.0f} {height + 20:.0f}" font-family="monospace" font-size="12">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#555"/></marker></defs>',
        f'<rect x="-10" y="-10" width="{width + 20:.0f}" height="{height + 20:.0f}" fill="white"/>',
    ]
    for (start, to, argument), route in layout.routes.items():
        port = (argument + 0.5) / len(boxes[to].arguments) - 0.5  # above (< 0) or below the middle
        lines.append(
            f'<path class="edge" data-from="{start}" data-to="{to}" data-argument="{argument}" '
            f'd="{curve(layout, route, port, left, right)}" fill="none" stroke="#555" marker-end="url(#tip)"/>'
        )
    for k, box in enumerate(boxes):
        lines += box_text(k, box, left[k], layout.y[k] - box.height / 2)
    return "\n".join([*lines, "</svg>"]) + "\n"


def curve(layout: Layout, route: list[int], port: float, left: list[float], right: list[float]) -> str:
    """The path of an arrow: level through its waypoints, curved between layers.

    Several arrows between the same two boxes start, pass and arrive at different heights: `port`.
    """
    x, y = right[route[0]], layout.y[route[0]] + 12 * port
    steps = [f"M{x:.1f} {y:.1f}"]
    for k in route[1:]:
        end = layout.y[k] + port * layout.heights[k]
        half = (left[k] - x) / 2
        steps.append(f"C{x + half:.1f} {y:.1f} {left[k] - half:.1f} {end:.1f} {left[k]:.1f} {end:.1f}")
        if k != route[-1]:
            steps.append(f"H{right[k]:.1f}")
        x, y = right[k], end
    return " ".join(steps)


def box_text(k: int, box: Box, x: float, y: float) -> list[str]:
    fill = "#e8f4e8" if box.leaf else "#eef2fb"
    lines = [f'<g class="node" data-node="{k}">']
    lines.append(
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="5" fill="{fill}" '
        'stroke="#555"/>'
    )
    for row, text in enumerate(box.lines):
        weight = ' font-weight="bold"' if row == 0 else ""
        at = y + PADDING / 2 + LINE * (row + 0.75)
        lines.append(f'<text x="{x + PADDING:.1f}" y="{at:.1f}"{weight}>{xml(text)}</text>')
    return [*lines, "</g>"]


def xml(text: str) -> str:
    """Text that may stand in XML: without the control characters that it forbids, <, > and & written out."""
    return escape(re.sub("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]", " ", text))
