"""Writes the numbers that the tests of this crate compare with, as PyTorch computes them in double precision.

    pip install torch numpy
    python policy/tests/golden/make.py

Inputs are drawn once and rounded to four decimals, results to nine digits; arrays are flat, row-major, in the layouts
of this crate. Generalized advantages have no counterpart in PyTorch: they are summed here by the definition.
"""

import json
import math
import pathlib

import numpy as np
import torch
from torch.distributions import Categorical, Normal, kl_divergence

FOLDER = pathlib.Path(__file__).parent


def drawn(*shape, scale=1.0):
    values = torch.randn(*shape, dtype=torch.float64) * scale
    return torch.round(values, decimals=4)


def kept(steps, rows):
    """0 where an episode ended before a step; never before the first, always somewhere."""
    keep = (torch.rand(steps, rows, dtype=torch.float64) > 0.25).double()
    keep[0] = 1.0
    keep[steps // 2, 0] = 0.0
    return keep


def leaf(tensor):
    return tensor.clone().requires_grad_()


def written(value):
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        numbers = [f"{number:.9g}" for number in value.ravel()]
        lines = [", ".join(numbers[at : at + 12]) for at in range(0, len(numbers), 12)]
        return "[" + ",\n    ".join(lines) + "]"
    return json.dumps(value)


def write(name, values):
    lines = [f'  "{key}": {written(value)}' for key, value in values.items()]
    (FOLDER / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def lstm_steps(x, weight, h, c, keep):
    """torch.lstm_cell step by step: the inputs are those of the gates, so their weights are the identity."""
    identity, states = torch.eye(x.shape[2], dtype=x.dtype), []
    for x_t, keep_t in zip(x, keep):
        h, c = torch.lstm_cell(x_t, (h * keep_t[:, None], c * keep_t[:, None]), identity, weight.t())
        states.append((h, c))
    return [torch.stack(parts) for parts in zip(*states)]


def gru_steps(x, weight, bias, h, keep):
    """torch.gru_cell step by step. Of its second bias only the candidate's part is needed."""
    identity, hidden = torch.eye(x.shape[2], dtype=x.dtype), []
    zero = torch.zeros(x.shape[2], dtype=x.dtype)
    bias = torch.cat([torch.zeros(2 * h.shape[1], dtype=x.dtype), bias])
    for x_t, keep_t in zip(x, keep):
        h = torch.gru_cell(x_t, h * keep_t[:, None], identity, weight.t(), zero, bias)
        hidden.append(h)
    return torch.stack(hidden)


def memories(steps=6, rows=5, width=3):
    keep, h0, c0, goal = kept(steps, rows), drawn(rows, width), drawn(rows, width), drawn(steps, rows, width)
    shape = {"steps": steps, "rows": rows, "width": width}
    start = {"keep": keep, "h0": h0, "goal": goal}

    x, weight = leaf(drawn(steps, rows, 4 * width)), leaf(drawn(width, 4 * width))
    hidden, cells = lstm_steps(x, weight, h0, c0, keep)
    # The same again with the module, whole sequences at once, where no episode ends.
    module = torch.nn.LSTM(4 * width, width, bias=False, dtype=torch.float64)
    module.weight_ih_l0.data, module.weight_hh_l0.data = torch.eye(4 * width, dtype=x.dtype), weight.detach().t()
    unbroken, _ = lstm_steps(x, weight, h0, c0, torch.ones_like(keep))
    assert torch.allclose(unbroken, module(x, (h0[None], c0[None]))[0], atol=1e-12)
    (hidden * goal).sum().backward()
    write("lstm", {**shape, **start, "c0": c0, "x": x, "weight": weight, "hidden": hidden, "cells": cells,
                   "x_gradient": x.grad, "weight_gradient": weight.grad})

    x, weight, bias = leaf(drawn(steps, rows, 3 * width)), leaf(drawn(width, 3 * width)), leaf(drawn(width))
    hidden = gru_steps(x, weight, bias, h0, keep)
    (hidden * goal).sum().backward()
    write("gru", {**shape, **start, "x": x, "weight": weight, "bias": bias, "hidden": hidden, "x_gradient": x.grad,
                  "weight_gradient": weight.grad, "bias_gradient": bias.grad})


def advantages(steps=9, worlds=4, discount=0.97, trace=0.9):
    """Schulman et al. 2016, equation 16: the sum of (discount trace)^l times the residual l steps on, up to the end of
    the episode. The value after a termination is 0; after a time-out that of the state before the reset.
    """
    rng = np.random.default_rng(4)
    rewards, values, at_timeouts = (np.round(rng.normal(size=(steps, worlds)), 4) for _ in range(3))
    bootstrap = np.round(rng.normal(size=worlds), 4)
    ends = np.zeros((steps, worlds), dtype=int)  # 0 goes on, 1 terminated, 2 timed out
    ends[2, 0], ends[5, 0], ends[4, 1], ends[8, 1], ends[0, 2], ends[8, 2] = 1, 2, 2, 1, 2, 2
    after = np.vstack([values[1:], bootstrap[None]])
    after[ends == 1], after[ends == 2] = 0.0, at_timeouts[ends == 2]
    residuals = rewards + discount * after - values
    out = np.zeros_like(rewards)
    for world in range(worlds):
        for start in range(steps):
            for step in range(start, steps):
                out[start, world] += (discount * trace) ** (step - start) * residuals[step, world]
                if ends[step, world]:
                    break
    write("advantages", {"worlds": worlds, "discount": discount, "trace": trace, "rewards": rewards, "values": values,
                         "ends": ends.astype(float), "timeout_values": at_timeouts, "bootstrap_values": bootstrap,
                         "advantages": out})


def distributions(count=6, actions=3, bins=11):
    mean, old_mean, action = drawn(count, actions), drawn(count, actions), drawn(count, actions)
    log_std, old_log_std = drawn(actions, scale=0.5), drawn(actions, scale=0.5)
    now, old = Normal(mean, log_std.exp()), Normal(old_mean, old_log_std.exp())
    write("gaussian", {"actions": actions, "mean": mean, "log_std": log_std, "old_mean": old_mean,
                       "old_log_std": old_log_std, "action": action, "log_prob": now.log_prob(action).sum(1),
                       "entropy": now.entropy().sum(1)[0].item(), "kl": kl_divergence(old, now).sum(1)})
    logits, old_logits = drawn(count, actions, bins, scale=2.0), drawn(count, actions, bins, scale=2.0)
    bin_index = torch.randint(bins, (count, actions))
    now, old = Categorical(logits=logits), Categorical(logits=old_logits)
    write("categorical", {"actions": actions, "bins": bins, "logits": logits, "old_logits": old_logits,
                          "bin": bin_index.double(), "log_prob": now.log_prob(bin_index).sum(1),
                          "entropy": now.entropy().sum(1), "kl": kl_divergence(old, now).sum(1)})


def surrogate(log_prob, old, advantage, clip):
    """Schulman et al. 2017, equation 7, as a loss."""
    ratio = (log_prob - old).exp()
    assert ((ratio - 1).abs() > clip).any() and ((ratio - 1).abs() < clip).any()
    return -torch.min(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()


def losses(count=12, actions=3, bins=11, clip=0.2, entropy_coefficient=0.01, bound_coefficient=0.1, bound=1.1):
    advantage, nudge = drawn(count), drawn(count, scale=0.2)
    settings = {"actions": actions, "clip": clip, "entropy_coefficient": entropy_coefficient,
                "bound_coefficient": bound_coefficient, "advantage": advantage}

    mean, log_std, action = leaf(drawn(count, actions)), leaf(drawn(actions, scale=0.5)), drawn(count, actions)
    now = Normal(mean, log_std.exp())
    log_prob = now.log_prob(action).sum(1)
    old = torch.round((log_prob + nudge).detach(), decimals=4)
    # A constant is all that entropy differs by from the sum of logarithms.
    entropy = now.entropy().sum(1).mean() - actions * (0.5 + 0.5 * math.log(2 * math.pi))
    outside = (mean.abs() - bound).clamp(min=0).square().mean()
    loss = surrogate(log_prob, old, advantage, clip) - entropy_coefficient * entropy + bound_coefficient * outside
    loss.backward()
    write("surrogate_gaussian", {**settings, "mean": mean, "log_std": log_std, "action": action, "old_log_prob": old,
                                 "loss": loss.item(), "mean_gradient": mean.grad, "log_std_gradient": log_std.grad})

    logits, bin_index = leaf(drawn(count, actions, bins)), torch.randint(bins, (count, actions))
    now = Categorical(logits=logits)
    log_prob = now.log_prob(bin_index).sum(1)
    old = torch.round((log_prob + nudge).detach(), decimals=4)
    loss = surrogate(log_prob, old, advantage, clip) - entropy_coefficient * now.entropy().sum(1).mean()
    loss.backward()
    write("surrogate_categorical", {**settings, "bins": bins, "logits": logits, "bin": bin_index.double(),
                                    "old_log_prob": old, "loss": loss.item(), "logits_gradient": logits.grad})

    values, returns, before = leaf(drawn(count)), drawn(count), drawn(count)
    plain = torch.nn.functional.mse_loss(values, returns)
    (plain_gradient,) = torch.autograd.grad(plain, values)
    clipped = before + (values - before).clamp(-clip, clip)
    loss = torch.max((values - returns).square(), (clipped - returns).square()).mean()
    loss.backward()
    write("value", {"clip": clip, "values": values, "returns": returns, "before": before, "plain": plain.item(),
                    "plain_gradient": plain_gradient, "loss": loss.item(), "gradient": values.grad})


def descent(name, cell, layers, steps=4, rows=6, columns=5, encoder=4, core=3, outputs=2, epochs=3):
    """A whole network, its gradient clipped and three steps of Adam."""
    gates = {"lstm": 4, "gru": 3}[cell]
    parameters = [leaf(drawn(columns, encoder, scale=0.5)), leaf(drawn(encoder, scale=0.5))]
    per_layer = 4 if cell == "gru" else 3
    for layer in range(layers):
        width = encoder if layer == 0 else core
        parameters += [leaf(drawn(width, gates * core, scale=0.5)), leaf(drawn(gates * core, scale=0.5)),
                       leaf(drawn(core, gates * core, scale=0.5))]
        if cell == "gru":
            parameters.append(leaf(drawn(core, scale=0.5)))
    parameters += [leaf(drawn(core, outputs, scale=0.5)), leaf(drawn(outputs, scale=0.5))]
    observations, goal = drawn(steps, rows, columns), drawn(steps, rows, outputs)
    keep, starts = kept(steps, rows), [drawn(rows, core) for _ in range(layers * (2 if cell == "lstm" else 1))]

    def network():
        x = torch.relu(observations @ parameters[0] + parameters[1])
        for layer in range(layers):
            weight, bias, memory, *candidate = parameters[2 + layer * per_layer : 2 + (layer + 1) * per_layer]
            fed = x @ weight + bias
            if cell == "lstm":
                x, _ = lstm_steps(fed, memory, starts[2 * layer], starts[2 * layer + 1], keep)
            else:
                x = gru_steps(fed, memory, candidate[0], starts[layer], keep)
        return x @ parameters[-2] + parameters[-1]

    def flat():
        return torch.cat([parameter.detach().flatten() for parameter in parameters])

    rate, longest = 0.01, 0.2
    optimizer = torch.optim.Adam(parameters, lr=rate, betas=(0.9, 0.999), eps=1e-5)
    before, losses, norms, after = flat(), [], [], []
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = (network() - goal).square().mean()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, longest).item())
        optimizer.step()
        losses.append(loss.item())
        after.append(flat())
    assert norms[0] > longest
    write(name, {"steps": steps, "rows": rows, "columns": columns, "encoder": encoder, "core": core,
                 "outputs": outputs, "layers": layers, "rate": rate, "longest": longest,
                 "observations": observations, "keep": keep, "starts": torch.stack(starts), "goal": goal,
                 "before": before, "after": torch.stack(after), "losses": np.array(losses),
                 "norms": np.array(norms)})


def main():
    torch.manual_seed(5)
    memories()
    advantages()
    distributions()
    losses()
    descent("descent_lstm", "lstm", layers=1)
    descent("descent_gru", "gru", layers=2)


if __name__ == "__main__":
    main()
