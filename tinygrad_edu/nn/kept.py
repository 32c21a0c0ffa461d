"""A module that is a function, some of whose arguments are given beforehand.

    F.huber_loss(x, t, delta=2.0)           a function: every option at every call
    nn.HuberLoss(delta=2.0)(x, t)           a module: the options are given once, and travel with the model

Activations, losses, pools and dropout are all of this kind. So a class says which function it is for, and how many
tensors that takes; what is left of the function's signature is the signature of the class, and what is printed:

    def leaky_relu(input, negative_slope=0.01, inplace=False)    ->    LeakyReLU(negative_slope=0.01, inplace=False)

One option is never given: `training` is the mode in which the module is, at each call.

Source: PyTorch documentation, torch.nn; E. Gamma, R. Helm, R. Johnson, J. Vlissides, Design Patterns, 1994 (Command).
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Any

from ..hints import closest
from .module import Module


class Kept(Module):
    """The base: keeps the options of `function` as attributes, and calls it with them.

    >>> import tinygrad_edu as tg
    >>> class Scaled(Kept):
    ...     function = staticmethod(lambda input, factor, inplace=False: input * factor)
    >>> layer = Scaled(3.0)
    >>> layer, layer(tg.ones(2))
    (Scaled(factor=3.0), tensor([3., 3.]))
    """

    function: Callable[..., Any]
    operands = 1  # how many of the function's arguments are given to `forward`
    missing: tuple[str, ...] = ()  # options that only the function has
    last: tuple[str, ...] = ()  # options that the module has behind all others
    by_name = False  # are options given by their names only?
    shown: tuple[str, ...] | None = None  # options that are printed; None: all, `inplace` only where it is True
    followed: tuple[str, ...]  # what is passed as it is at the call
    __signature__: Signature

    def __init_subclass__(cls) -> None:
        if "function" in cls.__dict__:
            options = list(signature(cls.function).parameters.values())[cls.operands :]
            named = [o for o in options if o.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)]
            named = [o.replace(kind=Parameter.KEYWORD_ONLY) if cls.by_name else o for o in named]
            kept = [o for o in named if o.name not in (*cls.missing, "training")]
            cls.__signature__ = Signature(sorted(kept, key=lambda option: option.name in cls.last))
            cls.followed = tuple(o.name for o in named if o.name == "training")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        known = self.__signature__.parameters
        try:
            given = self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            hint = next((closest(name, known) for name in kwargs if name not in known), "")
            raise TypeError(f"{type(self).__name__}(): {error}{hint}") from None
        given.apply_defaults()
        options = self.settled(given.arguments)
        self.options = tuple(options)
        for name, value in options.items():
            if name.endswith("weight"):  # is moved and saved with the module
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def settled(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options as they are kept, for classes where one follows from another; raises for bad ones."""
        return options

    def forward(self, *operands: Any, **named: Any) -> Any:
        options = {name: getattr(self, name) for name in self.options + self.followed}
        return type(self).function(*operands, **named, **options)

    def extra_repr(self) -> str:
        names = [o for o in self.options if o != "inplace" or self.inplace] if self.shown is None else self.shown
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
