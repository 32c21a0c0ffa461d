"""Names, one letter after another: counted pairs, and the same model as one linear layer."""

import torch
import torch.nn.functional as F

names = ["emma", "olivia", "ava", "isabella", "sophia", "charlotte", "mia", "amelia", "harper", "evelyn", "noah"]
letters = sorted(set("".join(names)))
stoi = {s: i + 1 for i, s in enumerate(letters)}
stoi["."] = 0
V = len(stoi)

N = torch.zeros((V, V), dtype=torch.int32)
xs, ys = [], []
for name in names:
    chars = ["."] + list(name) + ["."]
    for first, second in zip(chars, chars[1:]):
        N[stoi[first], stoi[second]] += 1
        xs.append(stoi[first])
        ys.append(stoi[second])
P = (N + 1).float()
P /= P.sum(1, keepdims=True)
log_likelihood = 0.0
for name in names:
    chars = ["."] + list(name) + ["."]
    for first, second in zip(chars, chars[1:]):
        log_likelihood += torch.log(P[stoi[first], stoi[second]])
print(f"counts: nll {-log_likelihood.item():.4f} {N.sum().item()} {N[0]}")

xs, ys = torch.tensor(xs), torch.tensor(ys)
num = xs.nelement()
g = torch.Generator().manual_seed(2147483647)
W = torch.randn((V, V), generator=g, requires_grad=True)
for k in range(20):
    xenc = F.one_hot(xs, num_classes=V).float()
    logits = xenc @ W
    counts = logits.exp()
    probs = counts / counts.sum(1, keepdims=True)
    loss = -probs[torch.arange(num), ys].log().mean() + 0.01 * (W**2).mean()
    W.grad = None
    loss.backward()
    W.data += -50 * W.grad
    print(f"{k} {loss.item():.5f}")
ix = torch.multinomial(P[0], num_samples=2000, replacement=True, generator=g)
print(torch.bincount(ix, minlength=V))
