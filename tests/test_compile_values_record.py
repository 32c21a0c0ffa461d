"""Functions of Values that are recorded again, refused, printed: what surrounds the law in test_compile_values.py."""

import gc
import inspect
import math
import subprocess
import sys
import threading
import warnings

import pytest

from tinygrad_edu import Value
from tinygrad_edu.compiler.scalar_watch import WATCH
from tinygrad_edu.compiler.scalars import KEPT, compile_values, has_values

# Recording again.


def test_another_structure_is_recorded_again_and_the_first_is_kept():
    calls = []

    def function(xs, scale):
        calls.append(len(xs))
        return sum(xs) * scale

    f = compile_values(function)
    one, two = [Value(1.0)], [Value(1.0), Value(2.0)]
    assert [f(one, 2.0).data, f(two, 2.0).data, f(one, 3.0).data, f(two, 3.0).data] == [2.0, 6.0, 3.0, 9.0]
    assert calls == [1, 2]
    assert f([1.0, Value(2.0)], 2.0).data == 6.0 and calls == [1, 2, 2]  # another pattern of Values and numbers
    assert f(one, 2).data == 2.0 and f(one, 3).data == 3.0 and calls == [1, 2, 2, 1, 1]  # ints are structure
    assert f(tuple(one), 2.0).data == 2.0 and calls == [1, 2, 2, 1, 1, 1]


def test_true_and_1_are_two_structures():
    f = compile_values(lambda x, flag: x * 2.0 if flag is True else x * 3.0)
    assert [f(Value(1.0), flag).data for flag in (True, 1, True)] == [2.0, 3.0, 2.0]


def test_recordings_are_bounded_and_more_of_them_are_told():
    f = compile_values(lambda x, n: x * n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(KEPT):
            f(Value(1.0), n)
    with pytest.warns(RuntimeWarning, match=f"more than {KEPT} structures .* ints are part of the structure"):
        f(Value(1.0), KEPT)
    assert len(f.recordings) == KEPT
    assert f(Value(2.0), KEPT).data == 2.0 * KEPT


# Refusals.


def comparing(x, w):
    if x > 1.0:
        return x
    return w


def reading(x, w):
    return w * (x * 2.0).data


REFUSED = {
    "a comparison": comparing,
    "a comparison of Values: its answer is that of this one call": lambda x, w: max(x, w),
    "maximum, minimum, clamp, abs": lambda x, w: w if x == w else x,
    r"float\(\) of a Value": lambda x, w: math.exp(x) * w,
    r"v\.exp\(\) instead of math\.exp\(v\)": lambda x, w: w * float(x),
    "reading .data or .grad": reading,
    "return it and read its .data outside": lambda x, w: x * w.grad,
    r"backward\(\): return the result": lambda x, w: (x * w).backward(),
    r"call backward\(\) on what comes back": lambda x, w: (x * w).backward(create_graph=True),
    "assigning to .data or .grad": lambda x, w: setattr(w, "data", 3.0) or x * w,
    "do it after the call": lambda x, w: setattr(w, "grad", 0.0) or x * w,
}


@pytest.mark.parametrize("message", REFUSED)
@pytest.mark.parametrize("known", [False, True], ids=["argument", "found"])
def test_what_cannot_be_recorded_is_refused_with_its_line(message, known):
    x, w = Value(2.0), Value(3.0)
    function = REFUSED[message]
    f = compile_values(lambda a: function(x, w)) if known else compile_values(lambda a: function(a, w))
    with pytest.raises(RuntimeError, match=message) as caught:
        f(x)
    line = inspect.getsourcelines(function)[1]
    found = {f"{__file__}, line {line + k}: a compiled function cannot record" for k in range(3)}
    assert any(str(caught.value).startswith(text) for text in found)
    assert (x.data, w.data, w.grad) == (2.0, 3.0, 0.0)  # and afterwards Values are as before
    assert x < w and float(x * w) == 6.0 and not WATCH.here()
    assert f.recordings == {}


def test_after_recording_nothing_is_watched():
    slots = [Value.__dict__[name] for name in ("data", "grad", "__init__")]
    compile_values(lambda a: a * 2.0)(Value(1.0))
    with pytest.raises(ZeroDivisionError):
        compile_values(lambda a: a * (1 / 0))(Value(1.0))
    assert [Value.__dict__[name] for name in ("data", "grad", "__init__")] == slots
    assert gc.isenabled()


def test_printing_a_value_is_allowed(capsys):
    f = compile_values(lambda a: print(a * 2.0) or a * 3.0)
    assert f(Value(1.0)).data == 3.0
    assert capsys.readouterr().out == "Value(2, grad=0)\n"


def test_other_threads_may_do_what_they_like_meanwhile():
    answers = []

    def elsewhere():
        x = Value(2.0)
        (x * x).backward()
        answers.append((x > 1.0, float(x), x.grad))

    def function(a):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return a * 2.0

    assert compile_values(function)(Value(1.0)).data == 2.0
    assert answers == [(True, 2.0, 4.0)]


def test_threads_that_record_at_once_wait_for_each_other():
    results = {}

    def work(k):
        f = compile_values(lambda a: sum(a * float(i) for i in range(200)) * float(k))
        results[k] = f(Value(1.0)).data

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {k: 19900.0 * k for k in range(8)}


def test_second_derivatives_are_refused_with_the_way_out():
    f = compile_values(lambda a: (a * a, a * 3.0))
    g = compile_values(lambda a: a * a)
    for y in (g(Value(2.0)), f(Value(2.0))[0]):
        with pytest.raises(RuntimeError, match="cannot be differentiated again.*without compiling it"):
            y.backward(create_graph=True)


@pytest.mark.parametrize("bad", [1j, object(), {1.0}, b"x"])
def test_other_arguments_and_results_are_refused(bad):
    with pytest.raises(TypeError, match="takes and returns Values, numbers"):
        compile_values(lambda a: Value(1.0))(bad)
    with pytest.raises(TypeError, match="takes and returns Values, numbers"):
        compile_values(lambda a: bad)(Value(1.0))


def test_an_array_is_refused_with_the_way_out():
    import numpy as np

    f = compile_values(lambda a: a * 2.0)
    with pytest.raises(TypeError, match=r"not numpy\.ndarray; of an array, pass x\.tolist\(\)"):
        f(np.ones(3))
    assert f(np.float64(1.5)).data == 3.0


# The rest.


def test_the_program_reads_well():
    w = Value(0.5, label="w")
    f = compile_values(lambda point, t0: (w * point[0] + t0).tanh())
    with pytest.raises(RuntimeError, match="recorded by the first call"):
        repr(f.program)
    f([Value(2.0)], 0.25)
    assert repr(f.program) == inspect.cleandoc("""
        # <lambda>: 3 inputs, 3 lines forward, 5 lines backward
        forward(point[0], t0_, w):
            t0 = w * point[0]
            t1 = t0 + t0_
            t2 = tanh(t1)
            return t2
        backward(g0):
            t3 = t2 * t2
            t4 = 1.0 - t3
            t5 = g0 * t4
            t6 = t5 * w
            t7 = t5 * point[0]
            return t6, t7
    """)


def test_a_long_program_is_printed_without_its_middle():
    f = compile_values(lambda xs: sum(x * x for x in xs))
    f([Value(float(k)) for k in range(1000)])
    text = repr(f.program)
    assert text.splitlines()[0] == "# <lambda>: 1,000 inputs, 2,000 lines forward, 2,000 lines backward"
    assert len(text.splitlines()) < 100 and text.count("    ...    1,960 lines\n") == 2
    assert "    t1999 = t1997 + t1998\n" in text and "t1000 =" not in text


def test_what_is_computed_twice_is_one_line():
    f = compile_values(lambda a, b: (a * b).exp() + (a * b).exp())
    f(Value(1.0), 2.0)
    assert f.program.ahead == 3


def test_it_has_the_name_and_the_text_of_the_function():
    assert compile_values(comparing).__name__ == "comparing"


def test_has_values():
    v = Value(1.0)
    assert has_values((v,)) and has_values(([1.0, (2, {"a": v})],))
    assert not has_values((1.0, [2.0, ("x", {})]))


def test_numba_is_loaded_by_the_first_call():
    code = (
        "import sys; from tinygrad_edu import Value; from tinygrad_edu.compiler.scalars import compile_values as c; "
        "f = c(lambda a: a * a); print({'numpy', 'numba'} & set(sys.modules)); print(f(Value(3.0)).data)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split("\n")[:2] == ["set()", "9.0"]
