"""A small GPT learns to write like this course, letter by letter.

A language model gives a probability to every possible next character, P(next | what came before). Trained on
a text to make what really came next probable, it can be asked to go on by itself: draw a character, append
it, ask again.

- *Attention.* Every place asks a question (query) of all places before it; how well their keys answer gives
  weights, and it takes the weighted mean of their values: softmax(Q Kᵀ / √d) V. The mask keeps it from
  looking ahead, where the answer stands. Four heads ask four questions at once.
- *A block* is attention, then a small network for each place. Both only add to what comes in, so that a
  gradient has a straight way back; layer norm before each keeps the numbers in scale.
- *The text* is the prose of this course's own pages, without their code. Guessing each of the V characters
  with the same probability costs log V, about 4.5; knowing only how often each occurs, about 3; what this
  network reaches in its 2,000 steps, some minutes, is about 1.2.
- *Drawing.* A uniform number u, and the first character at which the running sum of the probabilities passes u.

Shapes: batch B, context T, width C, heads H: x (B, T, C); q, k, v (B, H, T, C/H); scores (B, T, V).
Sources: Vaswani et al., "Attention is all you need", 2017; Radford et al., "Language models are unsupervised
multitask learners" (GPT-2), 2019, for the blocks; Andrej Karpathy's nanoGPT, for the idea of so small a one.
"""

import re
from pathlib import Path

from _common import Faster, canvas, draw_losses, options, progress, save

import tinygrad_edu as tg

BATCH, CONTEXT, WIDTH, HEADS, LAYERS = 16, 64, 128, 4, 4


class Attention(tg.nn.Module):
    """Every place looks at itself and at what came before: (B, T, C) ▶ (B, T, C)."""

    def __init__(self):
        super().__init__()
        self.queries_keys_values = tg.nn.Linear(WIDTH, 3 * WIDTH)
        self.out = tg.nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = (
            part.view(b, t, HEADS, WIDTH // HEADS).transpose(1, 2)
            for part in self.queries_keys_values(x).split(WIDTH, dim=2)
        )
        y = tg.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(b, t, WIDTH))


class Block(tg.nn.Module):
    """Look around, then think: each adds to x, (B, T, C)."""

    def __init__(self):
        super().__init__()
        self.norm1, self.attention = tg.nn.LayerNorm(WIDTH), Attention()
        self.norm2 = tg.nn.LayerNorm(WIDTH)
        self.network = tg.nn.Sequential(
            tg.nn.Linear(WIDTH, 4 * WIDTH), tg.nn.GELU(), tg.nn.Linear(4 * WIDTH, WIDTH)
        )  # fmt: skip

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.network(self.norm2(x))


class GPT(tg.nn.Module):
    """Scores for the next character at every place: characters (B, T) ▶ (B, T, V)."""

    def __init__(self, characters: int):
        super().__init__()
        self.characters = tg.nn.Embedding(characters, WIDTH)
        self.places = tg.nn.Embedding(CONTEXT, WIDTH)
        self.blocks = tg.nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = tg.nn.LayerNorm(WIDTH)
        self.scores = tg.nn.Linear(WIDTH, characters)

    def forward(self, x):
        x = self.characters(x) + self.places(tg.arange(x.shape[1]))
        return self.scores(self.norm(self.blocks(x)))


def prose() -> str:
    """The pages of the course in one string, without code, tables, pictures and addresses, in ASCII."""
    docs = Path(__file__).resolve().parent.parent / "docs"
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(docs.glob("*.md")))
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^(\||    |!|#).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = text.encode("ascii", "ignore").decode()
    return re.sub(r"[ \n]*\n[ \n]*\n", "\n\n", re.sub(r"(?<!\n)\n(?!\n)", " ", text)).strip()


def encoded(text: str) -> tuple[str, tg.Tensor]:
    """The alphabet of a text, in order, and the text as numbers of its characters, int64 (n,)."""
    alphabet = "".join(sorted(set(text)))
    number = {character: i for i, character in enumerate(alphabet)}
    return alphabet, tg.tensor([number[character] for character in text])


def batch(data: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
    """Pieces of the text from random places, (BATCH, CONTEXT), and the same moved on by one character."""
    starts = tg.randint(len(data) - CONTEXT, (BATCH,)).tolist()
    x = tg.stack([data[i : i + CONTEXT] for i in starts])
    y = tg.stack([data[i + 1 : i + CONTEXT + 1] for i in starts])
    return x, y


def fit(
    data: tg.Tensor, characters: int, steps: int, seed: int, compile: bool = False
) -> tuple[tg.nn.Module, list[float]]:
    """A model trained on data (n,), and the loss of each batch before its update."""
    tg.manual_seed(seed)
    model = GPT(characters)
    optimizer = tg.optim.AdamW(model.parameters(), lr=1e-3)

    def step(x, y):
        loss = tg.nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = Faster(step, tg.compile) if compile else step
    return model, [step(*batch(data)).item() for _ in progress(steps)]


def write(model: tg.nn.Module, start: list[int], length: int) -> list[int]:
    """`length` characters, as numbers, drawn one after another to follow `start`."""
    written = list(start)
    with tg.no_grad():
        for _ in range(length):
            scores = model(tg.tensor([written[-CONTEXT:]]))[0, -1]
            sums = scores.softmax(dim=0).cumsum(dim=0)
            written.append(min(int((sums <= tg.rand(1)).sum()), len(sums) - 1))
    return written[len(start) :]


def main(argv: list[str] | None = None) -> None:
    """Train, print three samples, save the losses."""
    args = options(__doc__, steps=2000, argv=argv, device=True, compile=True)
    tg.set_default_device(args.device)
    alphabet, data = encoded(prose())
    model, losses = fit(data, len(alphabet), args.steps, args.seed, args.compile)
    print(f"20_small_gpt: {len(losses)} steps, loss {losses[0]:.6g} -> {losses[-1]:.6g}")
    print(
        f"the text has {len(data)} characters, {len(alphabet)} different ones; all alike would be log {len(alphabet)}"
    )
    print(f"the model has {sum(p.numel() for p in model.parameters())} parameters")
    for start in ("The gradient ", "A kernel ", "What "):
        letters = write(model, [alphabet.index(character) for character in start], 160)
        print(f"sample: {start + ''.join(alphabet[i] for i in letters)!r}")
    if args.no_plot:
        return
    figure, (left, right) = canvas()
    counts = [(data == i).sum().item() for i in range(len(alphabet))]
    order = sorted(range(len(alphabet)), key=counts.__getitem__)[-24:]
    left.barh([repr(alphabet[i]) for i in order], [counts[i] for i in order])
    left.set(xlabel="count", title="the commonest characters of the text")
    draw_losses(right, losses)
    save(figure, args, "20_small_gpt")


if __name__ == "__main__":
    main()
