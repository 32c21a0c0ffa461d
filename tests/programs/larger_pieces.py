"""Pieces of larger programs: a residual network, an encoder of transformers, an autoencoder, a Q-network, two nets."""

import math

import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F
from torch.nn import TransformerEncoder, TransformerEncoderLayer
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader, Dataset, random_split

torch.manual_seed(0)


class BasicBlock(nn.Module):
    def __init__(self, in_planes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != planes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_planes, planes, kernel_size=1, stride=stride, bias=False), nn.BatchNorm2d(planes)
            )

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return self.relu(out)


net = nn.Sequential(
    nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), BasicBlock(8, 8), BasicBlock(8, 16, 2),
    nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(16, 4),
)  # fmt: skip
for m in net.modules():
    if isinstance(m, nn.Conv2d):
        nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
        nn.init.constant_(m.weight, 1)
        nn.init.constant_(m.bias, 0)
print(net)
optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)
images, classes = torch.randn(12, 3, 8, 8), torch.randint(4, (12,))
for _ in range(4):
    net.train()
    optimizer.zero_grad()
    loss = nn.CrossEntropyLoss()(net(images), classes)
    loss.backward()
    optimizer.step()
    scheduler.step()
    print(f"resnet {loss.item():.5f} {optimizer.param_groups[0]['lr']:.5f}")
net.eval()
print(net(images[:2]).detach().sum(), net[1].running_mean[:3], net[1].num_batches_tracked)


class PositionalEncoding(nn.Module):
    def __init__(self, d_model: int, dropout: float = 0.1, max_len: int = 50):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, 1, d_model)
        pe[:, 0, 0::2] = torch.sin(position * div_term)
        pe[:, 0, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(x + self.pe[: x.size(0)])


class TransformerModel(nn.Module):
    def __init__(self, ntoken: int, d_model: int, nhead: int, d_hid: int, nlayers: int, dropout: float = 0.0):
        super().__init__()
        self.pos_encoder = PositionalEncoding(d_model, dropout)
        layer = TransformerEncoderLayer(d_model, nhead, d_hid, dropout)
        self.transformer_encoder = TransformerEncoder(layer, nlayers)
        self.embedding = nn.Embedding(ntoken, d_model)
        self.d_model = d_model
        self.linear = nn.Linear(d_model, ntoken)
        self.embedding.weight.data.uniform_(-0.1, 0.1)
        self.linear.bias.data.zero_()
        self.linear.weight.data.uniform_(-0.1, 0.1)

    def forward(self, src: Tensor, src_mask: Tensor = None) -> Tensor:
        src = self.pos_encoder(self.embedding(src) * math.sqrt(self.d_model))
        if src_mask is None:
            src_mask = nn.Transformer.generate_square_subsequent_mask(len(src))
        return self.linear(self.transformer_encoder(src, src_mask))


model = TransformerModel(17, 8, 2, 12, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1.0, gamma=0.95)
source = torch.randint(0, 17, (7, 3))
for _ in range(4):
    output = model(source[:-1])
    loss = F.cross_entropy(output.view(-1, 17), source[1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    scheduler.step()
    print(f"transformer {loss.item():.5f} ppl {math.exp(loss.item()):.4f} lr {scheduler.get_last_lr()[0]:.4f}")


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(20, 12), nn.Linear(12, 3), nn.Linear(12, 3)
        self.fc3, self.fc4 = nn.Linear(3, 12), nn.Linear(12, 20)

    def forward(self, x):
        h1 = F.relu(self.fc1(x.view(-1, 20)))
        mu, logvar = self.fc21(h1), self.fc22(h1)
        z = mu + torch.randn_like(logvar) * torch.exp(0.5 * logvar)
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mu, logvar


vae = VAE()
optimizer = optim.Adam(vae.parameters(), lr=1e-2)
x = (torch.rand(10, 4, 5) > 0.5).float()
for _ in range(4):
    recon, mu, logvar = vae(x)
    bce = F.binary_cross_entropy(recon, x.view(-1, 20), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    optimizer.zero_grad()
    (bce + kld).backward()
    optimizer.step()
    print(f"vae {bce.item():.4f} {kld.item():.5f}")

policy = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
target = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
target.load_state_dict(policy.state_dict())
optimizer = optim.AdamW(policy.parameters(), lr=1e-2, amsgrad=True)
states, actions, rewards = torch.randn(6, 4), torch.randint(2, (6, 1)), torch.randn(6)
alive = torch.tensor([True, True, False, True, True, False])
for _ in range(4):
    values = policy(states).gather(1, actions)
    following = torch.zeros(6)
    with torch.no_grad():
        following[alive] = target(states[alive]).max(1).values
    expected = following * 0.9 + rewards
    loss = nn.SmoothL1Loss()(values, expected.unsqueeze(1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(policy.parameters(), 100)
    optimizer.step()
    merged, new = target.state_dict(), policy.state_dict()
    for key in new:
        merged[key] = new[key] * 0.1 + merged[key] * 0.9
    target.load_state_dict(merged)
    print(f"q {loss.item():.5f} {target[0].weight.norm().item():.5f}")


class Points(Dataset):
    def __init__(self, n):
        self.x = torch.randn(n, 2)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return {"x": self.x[i], "y": float(self.x[i].sum() > 0), "name": str(i)}


train, test = random_split(Points(20), [14, 6], generator=torch.Generator().manual_seed(42))
loader = DataLoader(train, batch_size=5, shuffle=True, generator=torch.Generator().manual_seed(5))
generator = nn.Sequential(
    nn.Linear(3, 8), nn.BatchNorm1d(8), nn.LeakyReLU(0.2, inplace=True), nn.Linear(8, 2), nn.Tanh()
)
critic = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Sigmoid())
one = optim.Adam(generator.parameters(), lr=0.01, betas=(0.5, 0.999))
two = optim.Adam(critic.parameters(), lr=0.01, betas=(0.5, 0.999))
criterion = nn.BCELoss()
for batch in loader:
    real, label = batch["x"], torch.full((len(batch["name"]), 1), 1.0)
    critic.zero_grad()
    error_real = criterion(critic(real), label)
    error_real.backward()
    fake = generator(torch.randn(len(real), 3))
    label.fill_(0.0)
    error_fake = criterion(critic(fake.detach()), label)
    error_fake.backward()
    two.step()
    generator.zero_grad()
    error = criterion(critic(fake), torch.ones_like(label))
    error.backward()
    one.step()
    print(f"gan {error_real.item():.5f} {error_fake.item():.5f} {error.item():.5f} {batch['name']} {batch['y'].dtype}")
