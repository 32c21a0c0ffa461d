"""One recording of a function: what it computes, what it leaves behind, and how that is done again.

What a function leaves behind is more than what it returns: gradients of leaves, parameters and statistics changed
in place, a tensor kept as an attribute. While recording, all of these hold symbols instead of numbers. So at the
end we look at every tensor that is alive (the garbage collector knows them):

    a tensor whose buffer is a symbol      has left the function: each replay gives it a fresh buffer
    a leaf with another gradient           likewise, for its `grad`
    a tensor on memory that was changed    counts one more change with each replay

If a result has a graph, its backward pass is recorded too, as a second program; values of the first that the second
reads are results of the first (`saved`).

Source: H. He, R. Zou, functorch: JAX-like composable function transforms for PyTorch, 2021 (recording forward and
backward together, then cutting).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

from .. import engine
from ..autograd.function import Output
from ..dtypes import get_default_dtype
from ..graph import Leaf, changes, no_grad, share
from ..tensors import Tensor
from .backward import CompiledBackward, UsedUp, crossing, leaves_of, value_in_order
from .fast import MISS, print_fast
from .guards import living, module_class, module_states, tensors_found_by
from .interrupts import shield
from .layouts import Layout, buffer_of
from .made import Made
from .memory import owner, root_of
from .passes import replace
from .program import Call, Program, Value
from .recorder import Recorder
from .recording import one_at_a_time, recording
from .symbols import Refused, Symbol, cannot
from .updates import asked, put_back


class Session:
    """A function recorded for arguments like `given`; `function` takes them and returns any structure of tensors."""

    def __init__(
        self, function: Callable[..., Any], given: list[Tensor], flatten: Callable, written: Any = None
    ) -> None:
        """`written` is the function as the user wrote it: where it finds tensors is looked at again each time."""
        self.function = function if written is None else written
        self.lock = threading.Lock()
        self.recorder = recorder = Recorder()
        self.results: list[Value] = []  # values that leave
        try:
            with one_at_a_time:  # or one recording would see the symbols of another
                self.note_gradients()
                with recording(recorder):
                    self.record(function, given, flatten)
                self.find_effects(given)
            self.make()
        except BaseException:
            for leaf, g in recorder.entry.items():
                if self.changed(leaf):
                    leaf.grad = g
            put_back(recorder.undo)
            raise
        for kept in (recorder.entry, recorder.gradients):
            kept.clear()  # gradients and states of the first call must not live on
        self.checked = any(isinstance(step, Call) and step.checks for step in self.forward.program.steps)
        self.count = changes.count
        self.fast: Any = None  # made by the second call: a function that is called once needs none

    # Recording.
    def note_gradients(self) -> None:
        """The gradients of all leaves, as they are before."""
        recorder = self.recorder
        recorder.entry = {leaf: leaf.grad for leaf in living(Leaf)}
        for leaf, g in recorder.entry.items():
            if g is not None and g.flat is not None:
                recorder.gradients[id(root_of(g.flat)[0])] = leaf

    def changed(self, leaf: Leaf) -> bool:
        """Has the function changed the gradient of a leaf? (Another thread may have, meanwhile.)"""
        g = leaf.grad
        return leaf in self.recorder.assigned or (g is not None and isinstance(buffer_of(g), Symbol))

    def record(self, function: Callable, given: list[Tensor], flatten: Callable) -> None:
        recorder = self.recorder
        stand_ins = [self.stand_in(x, k) for k, x in enumerate(given)]
        self.inner = {x.node: k for k, x in enumerate(stand_ins) if x.node is not None}
        result = function(*stand_ins)
        self.single = isinstance(result, Tensor)
        found, self.rebuild = flatten(result)
        del result
        self.cut, self.inputs = len(recorder.steps), len(recorder.arguments)
        self.returned: list[Any] = []  # per tensor: ('argument', k), ('same', tensor), or ('new', layout)
        for x in found:
            same = [k for k, y in enumerate(stand_ins) if y is x]
            if same:
                self.returned.append(("argument", same[0]))
            elif not isinstance(buffer_of(x), Symbol):
                self.returned.append(("same", x))
            else:
                self.returned.append(("new", self.leaves_with(x)))
        self.record_backward(found)

    def stand_in(self, x: Tensor, k: int) -> Tensor:
        """A tensor like an argument, on a symbol."""
        y = type(x).__new__(type(x))
        Tensor.__init__(y, self.recorder.argument(x.numel(), x.kind, k), x.shape, x.kind)
        if x.node is not None:
            y.node = Leaf()
        return y

    def leaves_with(self, x: Tensor) -> Layout:
        """The layout of a tensor that leaves the function; its value becomes a result."""
        memory = buffer_of(x).memory
        value = self.recorder.current(memory)
        if value.memory is None and value not in self.results:
            self.results.append(value)
        return Layout(x, value)

    def record_backward(self, found: list[Tensor]) -> None:
        """Record the backward pass of those results that have a graph."""
        recorder = self.recorder
        self.with_graph = [k for k, x in enumerate(found) if x.node is not None and self.returned[k][0] == "new"]
        self.leaves: list[Leaf] = []
        self.gradients: list[Value | None] = []
        self.shapes: list[Any] = []  # (shape, kind) of each gradient
        self.freed = False
        if not self.with_graph:
            return
        self.leaves = leaves_of([found[k].node for k in self.with_graph])
        self.cotangents = []
        seeds = []
        for k in self.with_graph:
            x = found[k]
            g = Tensor(recorder.argument(x.numel(), x.kind, ("cotangent", k)), x.shape, x.kind)
            self.cotangents.append(len(recorder.arguments) - 1)
            seeds.append((x.node, g))
        capture: dict[Any, Any] = dict.fromkeys(self.leaves)
        try:
            with no_grad():
                engine.backward(seeds, capture=capture)
                for leaf in self.leaves:
                    g = capture[leaf]
                    self.gradients.append(None if g is None else value_in_order(g))
                    self.shapes.append(None if g is None else (g.shape, g.kind))
        except RuntimeError as error:
            if "second time" not in str(error):
                raise
            self.freed = True  # the function has done its backward pass itself
            self.used_up = UsedUp(tuple(leaf for leaf in self.leaves if leaf not in self.inner) or (Leaf(),))
            del recorder.steps[self.cut :]

    # What is left behind.
    def find_effects(self, given: list[Tensor]) -> None:
        recorder = self.recorder
        self.new_gradients: list[tuple[Any, Any]] = []  # (leaf or number of an argument, layout, a tensor or None)
        self.guards: list[tuple[Leaf, bool]] = []
        self.dropped: list[Leaf] = []  # whose old gradient the function drops before it makes a new one
        for leaf, k in self.inner.items():
            if leaf.grad is not None:
                if given[k].node is None or not given[k].node.leaf:
                    raise cannot("an argument that was computed outside gets a gradient inside", "return the loss")
                self.new_gradients.append((k, self.leaves_with(leaf.grad)))
                leaf.grad = None
        for leaf, before in recorder.entry.items():
            g = leaf.grad
            if g is before or not self.changed(leaf):
                continue
            leaf.grad = before
            symbolic = g is not None and isinstance(buffer_of(g), Symbol)
            self.new_gradients.append((leaf, self.leaves_with(g) if symbolic else g))
            if leaf not in recorder.cleared:
                self.guards.append((leaf, before is None))
            elif symbolic:
                self.dropped.append(leaf)
        g = None
        self.escaped: list[tuple[Any, Layout]] = []
        self.counted: list[Any] = []
        self.outside: list[tuple[Any, Any]] = []
        self.roots = roots = {key[0] for key in recorder.outside}
        self.changed_roots = changed_roots = {
            key[0] for key, m in recorder.outside.items() if m.value is not None and m.value.step is not None
        }
        arguments = zip(recorder.sources, recorder.arguments, strict=True)
        self.changed_arguments = [k for k, m in arguments if type(k) is int and m.value and m.value.step]
        self.changing = bool(given) and bool(self.changed_arguments or changed_roots)
        modules: list[Any] = []
        steps = {None, *recorder.steps}  # (a failed recording may have left symbols, too)
        for x in living(Tensor, *module_class()):
            if not isinstance(x, Tensor):
                modules.append(x)
                continue
            if not hasattr(x, "shared"):
                continue  # its constructor raised, and the traceback holds it
            buffer = x.flat if x.flat is not None else x.region[0] if x.region is not None else None
            if isinstance(buffer, Symbol):
                value = buffer.memory.value
                if buffer.memory.home is None and value is not None and value.step in steps and x.node is None:
                    self.escaped.append((weakref.ref(x), self.leaves_with(x)))
            elif buffer is not None:
                root = root_of(buffer)[0]
                if id(root) in roots:
                    self.outside.append((weakref.ref(x), (root, x.shape, x.kind)))
                    if id(root) in changed_roots:
                        self.counted.append(share(x))
        self.counted = list(dict.fromkeys(s.memory for s in self.counted))
        self.modules, self.default = module_states(modules), get_default_dtype()
        self.found = tensors_found_by(self.function)

    # The programs.
    def make(self) -> None:
        recorder = self.recorder
        numbers = [f"n{u}_{k}" for u, given in enumerate(recorder.numbers) for k in range(len(given))]
        steps, after = recorder.steps[: self.cut], recorder.steps[self.cut :]
        forward = recorder.finish(self.results)
        forward.steps = steps
        self.saved: list[Value] = []
        self.backward: Made | None = None
        if self.with_graph and not self.freed:
            self.saved = crossing(steps, after, [v for v in self.gradients if v is not None])
            if any(v.memory is not None for v in self.saved):
                raise cannot("memory that the function changed is needed by its backward pass", "return a clone()")
            for v in self.saved:
                if v not in self.results:
                    self.results.append(v)
            inside = {v: recorder.argument(v.size, v.kind, ("saved", v)).memory.value for v in self.saved}
            self.gradient_values = [None if v is None else inside.get(v, v) for v in self.gradients]
            gradients = dict.fromkeys(v for v in self.gradient_values if v is not None and v.memory is None)
            backward = Program(after, list(gradients), [], recorder.names)
            replace(backward, inside)  # type: ignore[arg-type]
            self.backward = Made(backward, len(recorder.arguments), [])
        forward.results = self.results
        self.forward = Made(forward, self.inputs, numbers)

    # Replay.
    def arguments(self, given: list[Tensor]) -> list[Any] | None:
        """The buffers of the forward program's arguments; None if a gradient is not there or lies otherwise."""
        found: list[Any] = []
        for source, memory in zip(self.recorder.sources[: self.inputs], self.recorder.arguments, strict=False):
            if type(source) is int:
                found.append(given[source].flat)
            else:
                g = source.grad
                if g is None or g.flat is None or g.flat.size != memory.size:
                    return None
                found.append(g.flat)
        return found

    def numbers(self) -> list[float]:
        """What the optimizers want for this step. Raises Refused, with nothing changed, if it is another step."""
        return asked(self.recorder.updates)[0]

    def fits(self) -> bool:
        """Does everything that was found outside still hold?"""
        if changes.count != self.count:
            for ref, (root, shape, kind) in self.outside:
                x = ref()
                if x is None:
                    continue
                if root_of(buffer_of(x))[0] is not root or x.shape != shape or x.kind is not kind:
                    return False
            if module_states(living(*module_class())) != self.modules or get_default_dtype() is not self.default:
                return False
            self.count = changes.count
        for leaf, none in self.guards:
            if (leaf.grad is None) is not none:
                return False
        for where, name, x in self.found:
            if (where.cell_contents if name is None else where.get(name)) is not x:
                return False
        return True

    def apart(self, *given: Any) -> bool:
        """Is no argument in memory that the program changes, or reads, under another name? Steps would be in a wrong
        order. (`given` are buffers.)"""
        owners = [id(owner(buffer)) for buffer in given]
        if not self.changed_roots.isdisjoint(owners):
            return False
        return not any(owners[k] in self.roots or owners.count(owners[k]) > 1 for k in self.changed_arguments)

    def replay(self, given: list[Tensor], first: bool = False) -> Any:
        """Run the program. Raises Refused, with nothing changed, where it does not hold this time."""
        with self.lock:
            if self.changing and not self.apart(*[x.flat for x in given]):
                raise Refused
            arguments = self.arguments(given)
            if arguments is None:
                raise Refused
            for leaf in self.dropped:
                leaf.grad = None  # as the function does first of all: its memory may be used again
            fresh = self.forward.fresh()
            held = shield.begin()
            try:
                if first:
                    numbers, before = [n for some in self.recorder.numbers for n in some], self.recorder.undo
                else:
                    numbers, before = asked(self.recorder.updates)
                try:
                    self.forward.run(*arguments, *fresh, *numbers)
                except BaseException:
                    put_back(before)
                    raise
                self.bind(given, fresh, first)
            finally:
                if held:
                    shield.end()
        return self.result(given, arguments, fresh)

    def make_fast(self, given: list[Tensor]) -> Any:
        """The shortest way through `replay` (fast.py), or a function that always misses."""
        printed = print_fast(self, given)
        if printed is None:
            return lambda *given: MISS
        text, names = printed
        exec(compile(text, "<compiled call>", "exec"), names)
        return names["fast"]

    def bind(self, given: list[Tensor], fresh: list[Any], first: bool) -> None:
        """Leave behind what the function leaves behind."""
        for where, what in self.new_gradients:
            g = what.tensor(self.buffer(what, fresh)) if isinstance(what, Layout) else what
            if type(where) is int:
                given[where].node.receive(g, True)
            else:
                where.grad = g
        for ref, layout in self.escaped:
            x = ref()
            if x is not None:
                layout.put(x, self.buffer(layout, fresh))
        for shared in self.counted:
            shared.version += 1
        if not first:
            for optimizer in self.recorder.steppers:
                optimizer.steps += 1

    def buffer(self, layout: Layout, fresh: list[Any]) -> Any:
        return fresh[self.forward.slot[layout.value]]

    def result(self, given: list[Tensor], arguments: list[Any], fresh: list[Any]) -> Any:
        """What the function returns."""
        found: list[Tensor] = []
        for how, what in self.returned:
            if how == "argument":
                found.append(given[what])
            elif how == "same":
                found.append(what)
            elif what.value.memory is not None:
                found.append(what.tensor(arguments[what.value.memory.home]))
            else:
                found.append(what.tensor(self.buffer(what, fresh)))
        if self.with_graph:
            self.attach(found, given, arguments, fresh)
        return self.rebuild(found)

    def attach(self, found: list[Tensor], given: list[Tensor], arguments: list[Any], fresh: list[Any]) -> None:
        """Give the results their graph: one node that runs the backward program, or says that it has been used up."""
        if self.freed:
            for k in self.with_graph:
                found[k].node = self.used_up
            return
        parents = tuple(given[self.inner[leaf]].node if leaf in self.inner else leaf for leaf in self.leaves)
        kept = [fresh[self.forward.slot[v]] for v in self.saved]
        watched = [share(found[k]) for k in self.with_graph if self.returned[k][1].value in self.saved]
        watched += [share(x) for x in given]
        watched += [share(x) for x in (ref() for ref, _ in self.outside) if x is not None]
        node = CompiledBackward(self, parents, arguments, kept, watched)
        for k in self.with_graph:
            found[k].node = node if len(self.with_graph) == 1 else Output(node, k)
