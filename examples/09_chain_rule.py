"""The derivative of g(u(x)): `autograd.grad` beside the chain rule by hand, and what to do with it.

Take u(x) = x² and g(u) = -u. By the chain rule
    dg/dx = g'(u)·u'(x) = -1·2x = -2x,      d²g/dx² = -2
and at x = 1 the slope is -2. `autograd.grad(y, x)` returns dy/dx instead of adding it to `x.grad`, which suits
a program that wants the derivative itself. With `create_graph=True` the derivative is a tensor with a graph
of its own, and can be differentiated again.

A slope says which way is up. Following it, x ← x + η·dg/dx, leads from 1 to the top of g(u(x)), at x = 0:
each step multiplies x by 1 - 2η, so after k steps x = 0.8^k for η = 0.1.

Shapes: x is 0-d, and so are u, g and both derivatives.
Sources: Vahid Kazemi, "Effective PyTorch" (on GitHub), has the same g and u; Guillaume de L'Hôpital, "Analyse
des infiniment petits", 1696, differentiates by this rule.
"""

from _common import canvas, draw_losses, options, save

import tinygrad_edu as tg

LEARNING_RATE = 0.1


def u(x):
    """The inner function."""
    return x * x


def g(u):
    """The outer function."""
    return -u


def derivatives(at: float) -> tuple[float, float, float]:
    """g(u(x)) at one x, its derivative and its second derivative, the last two by `autograd.grad`."""
    x = tg.tensor(at, requires_grad=True)
    y = g(u(x))
    (first,) = tg.autograd.grad(y, x, create_graph=True)
    (second,) = tg.autograd.grad(first, x)
    return y.item(), first.item(), second.item()


def climb(steps: int) -> tuple[float, list[float]]:
    """Where `steps` steps uphill lead from x = 1, and the height still missing, -g, before each of them."""
    x = tg.tensor(1.0, requires_grad=True)
    missing = []
    for _ in range(steps):
        y = g(u(x))
        missing.append(-y.item())
        (slope,) = tg.autograd.grad(y, x)
        with tg.no_grad():
            x += LEARNING_RATE * slope
    return x.item(), missing


def main(argv: list[str] | None = None) -> None:
    """Print both derivatives at x = 1 and at four random x, then climb; save the picture."""
    args = options(__doc__, steps=30, argv=argv, device=True)
    tg.set_default_device(args.device)
    tg.manual_seed(args.seed)
    points = [1.0, *tg.randn(4).tolist()]
    rows = [(x, *derivatives(x)) for x in points]
    top, missing = climb(args.steps)

    print(f"09_chain_rule: {args.steps} steps, loss {missing[0]:.6g} -> {missing[-1]:.6g}")
    print("       x     g(u(x))      dg/dx    by hand    d2g/dx2  by hand")
    for x, value, first, second in rows:
        print(f"{x:8.5f}  {value:10.5f} {first:10.5f} {-2 * x:10.5f} {second:10.5f} {-2:8.5f}")
    print(f"top of g reached: x = {top:.5f}, by the formula 0.8^{args.steps} = {0.8**args.steps:.5f}")
    if args.no_plot:
        return
    figure, (left, right) = canvas()
    grid = [-3 + 6 * k / 80 for k in range(81)]
    left.plot(grid, [-x * x for x in grid], label="g(u(x)) = -x²")
    for x, value, first, _ in rows:
        ends = [x - 0.4, x + 0.4]
        left.plot(ends, [value + first * (end - x) for end in ends], color="black")
        left.plot(x, value, "o", color="black")
    left.set(xlabel="x", ylabel="g(u(x))", title="slopes by autograd.grad")
    left.legend()
    draw_losses(right, missing)
    save(figure, args, "09_chain_rule")


if __name__ == "__main__":
    main()
