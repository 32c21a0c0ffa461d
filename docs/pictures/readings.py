"""Chapter 04: one formula, and what becomes of it for each kind of operand."""

from svg import BLUE, GREEN, GREY, RED, Picture

COLUMNS = [
    (105, "floats", ["a float"], ["the scalar engine,", "chapters 01 to 03"], BLUE),
    (275, "Values", ["a Value", "with a graph"], ["derivatives of", "derivatives"], BLUE),
    (445, "Tensors", ["a Tensor", "with a graph"], ["the same,", "for arrays"], GREEN),
    (615, "names", ["an expression"], ["printed as a loop, and", "compiled: for arrays"], RED),
]

picture = Picture(720, 330)
picture.box(360, 50, ["Tanh", "forward(x):   tanh(x)", "backward(g, x, out):   g * (1.0 - out * out)"], RED, 330)
for x, operands, result, use, color in COLUMNS:
    picture.arrow((360 + (x - 360) * 0.45, 86), (x, 168), color=color)
    picture.text(x, 186, operands, color, 15)
    picture.arrow((x, 196), (x, 222), color=color)
    picture.box(x, 247, result, color, 130)
    for k, words in enumerate(use):
        picture.text(x, 295 + 17 * k, words, GREY, 13)
picture.write(__file__)
