"""Chapter 01: the graph of f = d², d = a b + a, with values, gradients and the slope of each step."""

from svg import BLUE, RED, Picture

from tinygrad_edu import Value

a, b = Value(2.0), Value(-3.0)
c = a * b
d = c + a
f = d * d
f.backward()

picture = Picture(720, 250)
places = {"a": (60, 65, a), "b": (60, 185, b), "c": (250, 185, c), "d": (440, 120, d), "f": (645, 120, f)}
titles = {"a": "a", "b": "b", "c": "c = a · b", "d": "d = c + a", "f": "f = d · d"}
picture.arrow((105, 185), (205, 185), color=BLUE)
picture.text(155, 203, f"slope {a.data:g}", BLUE, 13)
picture.arrow((105, 92), (205, 158), color=BLUE)
picture.text(165, 118, f"slope {b.data:g}", BLUE, 13, "start")
picture.arrow((295, 170), (395, 135), color=BLUE)
picture.text(352, 172, "slope 1", BLUE, 13)
picture.arrow((105, 60), (412, 95), bend=-25, color=BLUE)
picture.text(270, 38, "slope 1", BLUE, 13)
picture.arrow((485, 108), (600, 108), bend=-15, color=BLUE)
picture.text(543, 82, f"slope {d.data:g}", BLUE, 13)
picture.arrow((485, 132), (600, 132), bend=15, color=BLUE)
picture.text(543, 168, f"slope {d.data:g}", BLUE, 13)
for name, (x, y, number) in places.items():
    picture.box(x, y, [titles[name], f"{number.data:g}"])
    picture.text(x, y + 42, f"grad {number.grad:g}", RED, 13)
picture.write(__file__)
