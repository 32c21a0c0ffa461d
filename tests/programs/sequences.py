"""Recurrent networks: a cell written by hand, an LSTM tagger, a sine wave continued by LSTM cells under L-BFGS."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(3)


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        hidden = F.tanh(self.i2h(input) + self.h2h(hidden))
        return self.softmax(self.h2o(hidden)), hidden

    def init_hidden(self):
        return torch.zeros(1, self.hidden_size)


words = {"anna": 0, "boris": 1, "clara": 0, "dmitri": 1}
rnn, criterion = RNN(26, 12, 2), nn.NLLLoss()
for epoch in range(4):
    for word, label in words.items():
        line = torch.zeros(len(word), 1, 26)
        for place, letter in enumerate(word):
            line[place][0][ord(letter) - ord("a")] = 1
        hidden = rnn.init_hidden()
        rnn.zero_grad()
        for i in range(line.size()[0]):
            output, hidden = rnn(line[i], hidden)
        loss = criterion(output, torch.tensor([label], dtype=torch.long))
        loss.backward()
        for p in rnn.parameters():
            p.data.add_(p.grad.data, alpha=-0.1)
    top_n, top_i = output.topk(1)
    print(epoch, loss.item(), top_n.item(), top_i[0].item())


class Tagger(nn.Module):
    def __init__(self, embedding_dim, hidden_dim, vocab_size, tagset_size):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim)
        self.hidden2tag = nn.Linear(hidden_dim, tagset_size)

    def forward(self, sentence):
        embeds = self.word_embeddings(sentence)
        lstm_out, _ = self.lstm(embeds.view(len(sentence), 1, -1))
        return F.log_softmax(self.hidden2tag(lstm_out.view(len(sentence), -1)), dim=1)


sentences = [("the dog ate the apple".split(), [0, 1, 2, 0, 1]), ("everybody read that book".split(), [1, 2, 0, 1])]
index = {}
for sentence, _ in sentences:
    for word in sentence:
        index.setdefault(word, len(index))
model, loss_function = Tagger(6, 6, len(index), 3), nn.NLLLoss()
optimizer = optim.SGD(model.parameters(), lr=0.1)
for epoch in range(10):
    for sentence, tags in sentences:
        model.zero_grad()
        scores = model(torch.tensor([index[w] for w in sentence], dtype=torch.long))
        loss = loss_function(scores, torch.tensor(tags, dtype=torch.long))
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())

gru = nn.GRU(5, 7, num_layers=2, batch_first=True, bidirectional=True)
x = torch.randn(3, 4, 5, requires_grad=True)
out, h = gru(x)
out.pow(2).sum().backward()
print(gru, out.shape, h.shape, out.sum().item(), x.grad.norm().item())


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm1 = nn.LSTMCell(1, 11)
        self.lstm2 = nn.LSTMCell(11, 11)
        self.linear = nn.Linear(11, 1)

    def forward(self, input, future=0):
        outputs = []
        h_t = torch.zeros(input.size(0), 11, dtype=torch.double)
        c_t = torch.zeros(input.size(0), 11, dtype=torch.double)
        h_t2, c_t2 = torch.zeros_like(h_t), torch.zeros_like(c_t)
        for input_t in input.split(1, dim=1):
            h_t, c_t = self.lstm1(input_t, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        for _ in range(future):
            h_t, c_t = self.lstm1(output, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        return torch.cat(outputs, dim=1)


data = torch.sin(torch.arange(30, dtype=torch.double) / 4 + torch.rand(6, 1, dtype=torch.double) * 2 * math.pi)
inputs, target = data[3:, :-1], data[3:, 1:]
seq = Sequence()
seq.double()
criterion = nn.MSELoss()
optimizer = optim.LBFGS(seq.parameters(), lr=0.8, max_iter=5)
for i in range(2):

    def closure():
        optimizer.zero_grad()
        out = seq(inputs)
        loss = criterion(out, target)
        print("loss:", loss.item())
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        pred = seq(data[:3, :-1], future=5)
        print("test loss:", criterion(pred[:, :-5], data[:3, 1:]).item(), pred[0, -1].numpy().round(4))
