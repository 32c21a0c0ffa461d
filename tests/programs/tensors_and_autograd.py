"""A walk through tensors and autograd, as the first pages of a tutorial take it."""

import numpy as np
import torch

data = [[1, 2], [3, 4]]
x_data = torch.tensor(data)
x_np = torch.from_numpy(np.array(data))
torch.manual_seed(0)
x_ones, x_rand = torch.ones_like(x_data), torch.rand_like(x_data, dtype=torch.float)
print(f"Ones: \n {x_ones} \n Random: \n {x_rand}")
shape = (2, 3)
for t in (torch.rand(shape), torch.ones(shape), torch.zeros(shape)):
    print(t, t.shape, t.dtype, t.device)
tensor = torch.ones(4, 4)
tensor[:, 1] = 0
print(f"First row: {tensor[0]}", f"First column: {tensor[:, 0]}", f"Last column: {tensor[..., -1]}")
print(torch.cat([tensor, tensor, tensor], dim=1))
y1, y2 = tensor @ tensor.T, tensor.matmul(tensor.T)
y3 = torch.rand_like(y1)
torch.matmul(tensor, tensor.T, out=y3)
print(y3, (y1 == y2).all(), tensor.mul(tensor), tensor.sum().item(), tensor.add_(5))
n = torch.ones(5).numpy()
t = torch.from_numpy(n)
np.add(n, 1, out=n)
print(t, torch.eye(3, 5)[..., None].shape, torch.arange(6).reshape(2, -1).T)

x, y = torch.ones(5), torch.zeros(3)
w = torch.randn(5, 3, requires_grad=True)
b = torch.randn(3, requires_grad=True)
z = torch.matmul(x, w) + b
loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
print(z, loss.item())
loss.backward()
print(w.grad, b.grad)
with torch.no_grad():
    print((torch.matmul(x, w) + b).requires_grad, z.detach().requires_grad)
inp = torch.eye(4, 5, requires_grad=True)
out = (inp + 1).pow(2).t()
for _ in range(2):
    out.backward(torch.ones_like(out), retain_graph=True)
    print(inp.grad)
inp.grad.zero_()
a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
Q.backward(gradient=torch.tensor([1.0, 1.0]))
print(9 * a**2 == a.grad, -2 * b == b.grad, Q.grad_fn.name())


class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, i):
        result = i.exp()
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx, grad_output):
        (result,) = ctx.saved_tensors
        return grad_output * result


v = torch.linspace(0.0, 2.0 * np.pi, steps=7, requires_grad=True)
print(Exp.apply(v).sum(), torch.autograd.grad(torch.sin(v).sum(), v)[0])
print(torch.autograd.functional.jacobian(lambda u: u**2 * u.sum(), torch.tensor([1.0, 2.0])))
hessian = torch.autograd.functional.hessian(lambda u: (u**3).sum(), torch.tensor([1.0, 2.0]))
print(hessian, torch.linalg.det(hessian))
X = torch.normal(0, 1, (50, 2))
y = torch.matmul(X, torch.tensor([2, -3.4])) + 4.2
y += torch.normal(0, 0.01, y.shape)
print(X.mean(0), y.std(), torch.linalg.lstsq(torch.cat([X, torch.ones(50, 1)], 1), y.reshape(-1, 1)).solution.flatten())
try:
    torch.ones(2, 3) @ torch.ones(2, 3)
except RuntimeError as error:
    print(type(error).__name__)
