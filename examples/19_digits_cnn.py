"""Which digit is it? A convolutional network on 1,797 handwritten digits of 8 x 8 pixels.

A dense layer would give each pixel of each place its own weight, and learn the same stroke anew at every
place. A *convolution* slides one small window of weights over the image: what it learns in one corner it
knows in all. Then *pooling* keeps the strongest response of each 2 x 2 block: where exactly a stroke was
matters less than that it was there, and what follows sees a wider part of the image at a quarter of the cost.

- `DataLoader` shuffles the training rows anew in each pass and hands them out in batches.
- The network gives ten scores (logits); `cross_entropy` is -log softmax at the right class.
- A convolutional network needs no closed form to be judged: a straight line (logistic regression, from
  scikit-learn) on the same split is the yardstick.

Shapes: images (batch, 1, 8, 8) ▶ (batch, 32, 8, 8) ▶ pool (batch, 32, 4, 4) ▶ (batch, 64, 4, 4) ▶ pool
(batch, 64, 2, 2) ▶ 256 features ▶ 10 scores. A fifth of the images is kept for the test, the same for every seed.
Sources: Yann LeCun et al., "Gradient-based learning applied to document recognition", 1998; the data:
Alpaydin and Kaynak, "Optical recognition of handwritten digits", 1998.
"""

import numpy as np
from _common import Faster, canvas, draw_losses, options, progress, save
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

import tinygrad_edu as tg


class DigitNetwork(tg.nn.Module):
    """Two convolutions, each with relu and pooling, and a linear layer: (n, 1, 8, 8) ▶ (n, 10)."""

    def __init__(self):
        super().__init__()
        self.strokes = tg.nn.Conv2d(1, 32, kernel_size=3, padding=1)
        self.shapes = tg.nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.scores = tg.nn.Linear(64 * 2 * 2, 10)

    def forward(self, x):
        pool = tg.nn.functional.max_pool2d
        x = pool(tg.relu(self.strokes(x)), 2)
        x = pool(tg.relu(self.shapes(x)), 2)
        return self.scores(x.flatten(1))


def split() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pixels from 0 to 1, float32 (n, 1, 8, 8), and class numbers, int64 (n,): x_train, x_test, y_train, y_test."""
    digits = load_digits()
    pixels = (digits.images / 16).astype("float32")[:, None]
    return train_test_split(pixels, digits.target.astype("int64"), test_size=0.2, random_state=0)


def batches(loader, steps: int):
    """`steps` batches from a loader, in as many passes over its data as that takes."""
    taken = 0
    while taken < steps:
        for batch in loader:
            yield batch
            taken += 1
            if taken == steps:
                return


def fit(
    x: np.ndarray, y: np.ndarray, steps: int, seed: int, device: str = "cpu", compile: bool = False
) -> tuple[tg.nn.Module, list[float]]:
    """A network trained on images x (n, 1, 8, 8) with classes y (n,), and the loss of each batch before its update."""
    tg.manual_seed(seed)
    dataset = tg.utils.data.TensorDataset(tg.from_numpy(x), tg.from_numpy(y))
    loader = tg.utils.data.DataLoader(dataset, batch_size=64, shuffle=True, drop_last=True)
    model = DigitNetwork().to(device)
    optimizer = tg.optim.Adam(model.parameters(), lr=2e-3)

    def step(images, classes):
        loss = tg.nn.functional.cross_entropy(model(images), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = Faster(step, tg.compile) if compile else step
    losses = []
    for _, (images, classes) in zip(progress(steps), batches(loader, steps), strict=True):
        losses.append(step(images.to(device), classes.to(device)).item())
    return model, losses


def predict(model: tg.nn.Module, x: np.ndarray) -> np.ndarray:
    """The class with the highest score, for each image of x (n, 1, 8, 8): shape (n,)."""
    device = model.scores.weight.device
    with tg.no_grad():
        return model(tg.from_numpy(x).to(device)).argmax(dim=1).cpu().numpy()


def main(argv: list[str] | None = None) -> None:
    """Fit, print the accuracy beside that of a straight line, save some of the test images."""
    args = options(__doc__, steps=800, argv=argv, device=True, compile=True)
    x_train, x_test, y_train, y_test = split()
    model, losses = fit(x_train, y_train, args.steps, args.seed, args.device, args.compile)
    predicted = predict(model, x_test)
    line = LogisticRegression(max_iter=5000).fit(x_train.reshape(len(x_train), -1), y_train)

    print(f"19_digits_cnn: {len(losses)} steps, loss {losses[0]:.6g} -> {losses[-1]:.6g}")
    print(f"test accuracy        {np.mean(predicted == y_test):.4f}")
    print(f"logistic regression  {line.score(x_test.reshape(len(x_test), -1), y_test):.4f}")
    print(f"always the same      {np.bincount(y_test).max() / len(y_test):.4f}")
    if args.no_plot:
        return
    figure, (left, right) = canvas()
    wrong_first = np.argsort(predicted == y_test, kind="stable")[:24]
    left.imshow(np.block([[x_test[i, 0] for i in row] for row in wrong_first.reshape(4, 6)]), cmap="gray_r")
    for place, i in enumerate(wrong_first):
        colour = "tab:green" if predicted[i] == y_test[i] else "tab:red"
        left.text(place % 6 * 8, place // 6 * 8 + 1, predicted[i], color=colour)
    left.set(xticks=[], yticks=[], title="test images; mistakes (red) first")
    draw_losses(right, losses)
    save(figure, args, "19_digits_cnn")


if __name__ == "__main__":
    main()
