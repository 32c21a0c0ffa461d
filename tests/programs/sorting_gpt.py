"""A small transformer that learns to sort, as in a well-known minimal GPT: data made as it is read, groups of decay."""

import math

import torch
import torch.nn as nn
from torch.nn import functional as F
from torch.utils.data import Dataset
from torch.utils.data.dataloader import DataLoader

torch.manual_seed(1)


class SortDataset(Dataset):
    def __init__(self, length=6, num_digits=3):
        self.length, self.num_digits = length, num_digits

    def __len__(self):
        return 10000

    def __getitem__(self, idx):
        while True:
            inp = torch.randint(self.num_digits, size=(self.length,), dtype=torch.long)
            if torch.rand(1).item() >= 0.5 or inp.unique().nelement() <= self.length // 2:
                break
        cat = torch.cat((inp, torch.sort(inp)[0]), dim=0)
        x, y = cat[:-1].clone(), cat[1:].clone()
        y[: self.length - 1] = -1
        return x, y


class Block(nn.Module):
    def __init__(self, width, heads, length):
        super().__init__()
        self.ln_1, self.ln_2, self.heads = nn.LayerNorm(width), nn.LayerNorm(width), heads
        self.attend, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.register_buffer("bias", torch.tril(torch.ones(length, length)).view(1, 1, length, length))
        self.mlp = nn.ModuleDict(dict(up=nn.Linear(width, 4 * width), act=nn.GELU(), down=nn.Linear(4 * width, width)))

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.attend(self.ln_1(x)).split(C, dim=2)
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in (q, k, v))
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = F.softmax(att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf")), dim=-1)
        x = x + self.project((att @ v).transpose(1, 2).contiguous().view(B, T, C))
        return x + self.mlp.down(self.mlp.act(self.mlp.up(self.ln_2(x))))


class GPT(nn.Module):
    def __init__(self, vocab=3, width=12, heads=3, layers=2, length=11):
        super().__init__()
        parts = dict(wte=nn.Embedding(vocab, width), wpe=nn.Embedding(length, width), ln_f=nn.LayerNorm(width))
        self.transformer = nn.ModuleDict(
            dict(**parts, h=nn.ModuleList(Block(width, heads, length) for _ in range(layers)))
        )
        self.lm_head = nn.Linear(width, vocab, bias=False)
        for name, p in self.named_parameters():
            if p.dim() > 1:
                nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * layers) if name.endswith("down.weight") else 0.02)

    def forward(self, idx, targets=None):
        pos = torch.arange(0, idx.size(1), dtype=torch.long, device=idx.device).unsqueeze(0)
        x = self.transformer.wte(idx) + self.transformer.wpe(pos)
        for block in self.transformer.h:
            x = block(x)
        logits = self.lm_head(self.transformer.ln_f(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)


model = GPT()
decay = [p for n, p in model.named_parameters() if n.endswith("weight") and "ln" not in n and "wt" not in n]
rest = [p for p in model.parameters() if not any(p is q for q in decay)]
groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=5e-3, betas=(0.9, 0.95))
data = SortDataset()
sampler = torch.utils.data.RandomSampler(data, replacement=True, num_samples=int(1e10))
batches = iter(DataLoader(data, sampler=sampler, shuffle=False, batch_size=32, num_workers=0))
for step in range(20):
    x, y = (t.to("cpu") for t in next(batches))
    logits, loss = model(x, y)
    model.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 4 == 0:
        print(f"{step} {loss:.4f} {norm:.4f} {[len(g['params']) for g in optimizer.param_groups]}")
