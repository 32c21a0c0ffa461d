"""Chapter 02: the ladder b = a + a, c = b + b."""

from svg import BLUE, RED, Picture

picture = Picture(600, 190)
xs = {"a": 70, "b": 300, "c": 530}
for left, right in (("a", "b"), ("b", "c")):
    picture.arrow((xs[left] + 47, 75), (xs[right] - 47, 75), bend=-20, color=BLUE)
    picture.arrow((xs[left] + 47, 99), (xs[right] - 47, 99), bend=20, color=BLUE)
for name, title, paths in (("a", "a", 4), ("b", "b = a + a", 2), ("c", "c = b + b", 1)):
    picture.box(xs[name], 87, [title], width=92)
    picture.text(xs[name], 125, f"{paths} path{'s' if paths > 1 else ''} from c", RED, 13)
    picture.text(xs[name], 145, f"so its gradient is {paths}", RED, 13)
picture.write(__file__)
