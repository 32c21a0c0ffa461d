"""Tensors and gradients without networks: a Gaussian process, k-means, principal axes, an inner loop differentiated."""

import math

import torch
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(0)

X = torch.linspace(0, 5, 15)[:, None]
y = torch.sin(X).squeeze() + 0.1 * torch.randn(15)
log_length, log_variance, log_noise = (torch.tensor(v, requires_grad=True) for v in (0.0, 0.0, -2.0))
optimizer = optim.Adam([log_length, log_variance, log_noise], lr=0.1)


def kernel(a, b):
    return log_variance.exp() * torch.exp(-0.5 * torch.cdist(a, b) ** 2 / log_length.exp() ** 2)


def factor():
    return torch.linalg.cholesky(kernel(X, X) + log_noise.exp() * torch.eye(15))


for _ in range(6):
    optimizer.zero_grad()
    L = factor()
    alpha = torch.cholesky_solve(y[:, None], L)
    loss = 0.5 * (y[None] @ alpha).squeeze() + torch.log(torch.diagonal(L)).sum() + 7.5 * math.log(2 * math.pi)
    loss.backward()
    optimizer.step()
    print(f"gp {loss.item():.4f} {log_length.item():.4f} {log_length.grad:.4f}")
with torch.no_grad():
    L, new = factor(), torch.tensor([[1.0], [6.0]])
    v = torch.linalg.solve_triangular(L, kernel(X, new), upper=False)
    print(kernel(new, X) @ torch.cholesky_solve(y[:, None], L), torch.diag(kernel(new, new) - v.T @ v))

points = torch.cat([torch.randn(20, 2) + 4 * i for i in range(3)])
centers = points[torch.randperm(60)[:3]].clone()
for _ in range(5):
    nearest = torch.cdist(points, centers).argmin(1)
    centers = torch.stack([points[nearest == j].mean(0) for j in range(3)])
sums = torch.zeros(3, 2).index_add_(0, nearest, points)
means = torch.zeros(3, 2).scatter_reduce(0, nearest[:, None].expand(-1, 2), points, "mean", include_self=False)
print(centers, nearest.bincount(minlength=3), sums / nearest.bincount()[:, None], means)
print((points[:, None] - centers[None]).pow(2).sum(-1).min(1).values.sum())

data = points - points.mean(0)
U, S, Vh = torch.linalg.svd(data, full_matrices=False)
print(S, (data @ Vh.T).abs().sum(0), (S**2).cumsum(0) / (S**2).sum(), torch.linalg.eigvalsh(torch.cov(data.T)))

weights = {"w1": torch.randn(8, 1) * 0.5, "b1": torch.zeros(8), "w2": torch.randn(1, 8) * 0.5, "b2": torch.zeros(1)}
weights = {name: w.requires_grad_() for name, w in weights.items()}
optimizer = optim.Adam(weights.values(), lr=0.01)


def predict(p, x):
    return F.linear(torch.tanh(F.linear(x, p["w1"], p["b1"])), p["w2"], p["b2"])


for step in range(4):
    optimizer.zero_grad()
    total = 0.0
    for _ in range(3):
        amplitude, phase = torch.rand(1) * 4 + 1, torch.rand(1) * 3
        x = torch.rand(10, 1) * 10 - 5
        y = amplitude * torch.sin(x + phase)
        fast = dict(weights)
        for _ in range(2):
            inner = F.mse_loss(predict(fast, x[:5]), y[:5])
            grads = torch.autograd.grad(inner, fast.values(), create_graph=True)
            fast = {name: w - 0.01 * g for (name, w), g in zip(fast.items(), grads)}
        outer = F.mse_loss(predict(fast, x[5:]), y[5:])
        outer.backward()
        total += outer.item()
    optimizer.step()
    print(f"inner loop {step} {total / 3:.4f} {weights['w1'].grad.norm():.4f}")
