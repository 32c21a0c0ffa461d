"""Habits of training: groups, an optimizer and a schedule of one's own, the average of the weights, early stopping."""

import copy
import pickle

import numpy as np
import torch
import torch.backends.cudnn as cudnn
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.optimizer import Optimizer
from torch.utils.data import DataLoader, Dataset, Sampler

torch.manual_seed(4)
cudnn.benchmark, cudnn.deterministic = False, True
device = torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"


class Lion(Optimizer):
    def __init__(self, params, lr=1e-3, beta=0.9):
        super().__init__(params, dict(lr=lr, beta=beta))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if len(state) == 0:
                    state["momentum"] = torch.zeros_like(p, memory_format=torch.preserve_format)
                state["momentum"].mul_(group["beta"]).add_(p.grad, alpha=1 - group["beta"])
                p.add_(state["momentum"].sign(), alpha=-group["lr"])


class Warmup(LRScheduler):
    def __init__(self, optimizer, steps):
        self.steps = steps
        super().__init__(optimizer)

    def get_lr(self):
        return [base * min(1.0, (self.last_epoch + 1) / self.steps) for base in self.base_lrs]


class Curve(Dataset):
    def __init__(self, n):
        self.x = np.linspace(-2, 2, n, dtype=np.float32)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return {"x": self.x[i : i + 1], "y": np.float32(np.sin(self.x[i]))}


class EvenFirst(Sampler):
    def __iter__(self):
        return iter(sorted(torch.randperm(40).tolist(), key=lambda i: i % 2))


def collate(samples):
    return torch.from_numpy(np.stack([s["x"] for s in samples])), torch.tensor([s["y"] for s in samples])


model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.BatchNorm1d(16), nn.Linear(16, 1)).to(device)
average, kept, best, patience = copy.deepcopy(model), None, float("inf"), 0
optimizer = Lion([{"params": model[0].parameters(), "lr": 0.02}, {"params": model[3].parameters()}], lr=0.01)
schedule = Warmup(optimizer, 4)
loader = DataLoader(Curve(40), batch_size=8, sampler=EvenFirst(), collate_fn=collate)
for epoch in range(10):
    for step, (x, y) in enumerate(loader):
        (F.smooth_l1_loss(model(x).squeeze(1), y) / 2).backward()
        if step % 2:
            optimizer.step()
            optimizer.zero_grad()
            for p, q in zip(average.parameters(), model.parameters()):
                p.data.mul_(0.9).add_(q.data, alpha=0.1)
    schedule.step()
    model.eval()
    with torch.inference_mode():
        error = sum(F.l1_loss(model(x).squeeze(1), y, reduction="sum").item() for x, y in loader) / 40
    model.train()
    if error < best:
        best, patience, kept = error, 0, copy.deepcopy(model.state_dict())
    else:
        patience += 1
    print(f"{epoch} {error:.4f} {patience} {schedule.get_last_lr()}")
print(model.load_state_dict(kept), type(kept).__name__, [p.shape for p in optimizer.param_groups[1]["params"]])
again = pickle.loads(pickle.dumps(model)).eval()
print(again(torch.ones(1, 1)).item(), average.eval()(torch.ones(1, 1)).item(), again[0].weight.grad is None)
