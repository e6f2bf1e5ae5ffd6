"""One PPO epoch in PyTorch: what `giraffe bench learner` is measured against.

Reads one JSON object per line from standard input, answers with one per line: {"ok": ...} or {"error": ...}.

    {"do": "hello"}                           versions, and whether there is a CUDA device
    {"do": "prepare", "name", "way", ...}     networks, optimizers and data of a shape, kept under a name
    {"do": "epochs", "name", "networks", "threads", "count"}    seconds of so many epochs
    {"do": "steps", "name", "threads", "count"}                 seconds of so many steps of acting
    {"do": "peak", "threads", "width", "device"}                seconds of the product of two square matrices, at best
    {"do": "forget"}                          lets go of everything prepared

An epoch is what giraffe's is: forward, losses, backward, clipping of the gradient's length, Adam; actor and critic
are separate networks, linear + ReLU -> LSTM -> linear. Its data lies ready: nothing is gathered. `way` is

    lstm    nn.LSTM over the whole sequence. Fast, but cannot forget where an episode ends.
    cell    nn.LSTMCell step by step, forgetting where episodes end.
    split   the same, with the inputs' share of the gates computed for all steps at once.

torch.compile is not tried: it needs a C++ compiler beside torch.
"""

import json
import math
import platform
import signal
import sys
import time

CLIP_RATIO = 0.2
ENTROPY_COEFFICIENT = 0.001
ACTION_BOUND = 1.1
ACTION_BOUND_COEFFICIENT = 1e-3
MAX_GRADIENT_NORM = 1.0
LEARNING_RATES = {"actor": 3e-4, "critic": 5e-4}

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError as error:
    print(json.dumps({"error": f"{error}", "missing": True}), flush=True)
    sys.exit(0)


class Network(nn.Module):
    """Linear + ReLU -> LSTM -> linear."""

    def __init__(self, columns, width, outputs, way):
        super().__init__()
        self.way = way
        self.encoder = nn.Linear(columns, width)
        self.core = nn.LSTMCell(width, width) if way == "cell" else nn.LSTM(width, width)
        self.head = nn.Linear(width, outputs)
        self.log_std = nn.Parameter(torch.full((outputs,), -0.5)) if outputs > 1 else None

    def step(self, given, h, c):
        """One step, given the encoded observations, or for `split` gates that lack the memory's share."""
        if self.way == "cell":
            return self.core(given, (h, c))
        gates = torch.addmm(given, h, self.core.weight_hh_l0.t())
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def given(self, x):
        if self.way == "cell":
            return x
        bias = self.core.bias_ih_l0 + self.core.bias_hh_l0
        return functional.linear(x, self.core.weight_ih_l0, bias)

    def forward(self, observations, h, c, keep):
        """Outputs [T, B, n] of observations [T, B, columns]; keep [T, B, 1] is 0 where an episode ended before."""
        x = torch.relu(self.encoder(observations))
        if self.way == "lstm":
            hidden, _ = self.core(x, (h[None], c[None]))
            return self.head(hidden)
        hidden = []
        for given, kept in zip(self.given(x).unbind(0), keep.unbind(0)):
            h, c = self.step(given, h * kept, c * kept)
            hidden.append(h)
        return self.head(torch.stack(hidden))


class Problem:
    """Networks, optimizers and data of one shape."""

    def __init__(self, asked):
        torch.manual_seed(1)
        self.device = asked["device"]
        steps, rows, width = asked["steps"], asked["sequences"], asked["width"]
        outputs = {"actor": asked["actions"], "critic": 1}
        self.networks, self.optimizers, self.observations = {}, {}, {}
        for name, columns in asked["columns"].items():
            self.networks[name] = Network(columns, width, outputs[name], asked["way"]).to(self.device)
            self.optimizers[name] = torch.optim.Adam(
                self.networks[name].parameters(), lr=LEARNING_RATES[name], fused=True
            )
            self.observations[name] = self.draw(steps, rows, columns)
        self.h, self.c = self.draw(rows, width).tanh(), self.draw(rows, width)
        self.keep = (torch.rand(steps, rows, 1, device=self.device) > 0.01).float()
        self.actions = 0.6 * self.draw(steps, rows, asked["actions"])
        self.advantages, self.returns = self.draw(steps, rows), self.draw(steps, rows, 1)
        with torch.no_grad():
            self.old = self.log_prob(self.networks["actor"](*self.sequence("actor")), self.actions)

    def draw(self, *shape):
        return torch.randn(*shape, device=self.device)

    def sequence(self, name):
        return self.observations[name], self.h, self.c, self.keep

    def log_prob(self, mean, actions):
        log_std = self.networks["actor"].log_std
        z = (actions - mean) * torch.exp(-log_std)
        return -0.5 * z.square().sum(-1) - log_std.sum() - 0.5 * math.log(2 * math.pi) * mean.shape[-1]

    def actor_loss(self):
        mean = self.networks["actor"](*self.sequence("actor"))
        ratio = torch.exp(self.log_prob(mean, self.actions) - self.old)
        clipped = ratio.clamp(1 - CLIP_RATIO, 1 + CLIP_RATIO)
        surrogate = torch.minimum(ratio * self.advantages, clipped * self.advantages).mean()
        entropy = self.networks["actor"].log_std.sum()
        outside = (mean.abs() - ACTION_BOUND).clamp_min(0).square().mean()
        return -surrogate - ENTROPY_COEFFICIENT * entropy + ACTION_BOUND_COEFFICIENT * outside

    def critic_loss(self):
        return functional.mse_loss(self.networks["critic"](*self.sequence("critic")), self.returns)

    def epoch(self, name):
        loss = self.actor_loss() if name == "actor" else self.critic_loss()
        self.optimizers[name].zero_grad(set_to_none=True)
        loss.backward()
        parameters = self.networks[name].parameters()
        nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM, foreach=True)
        self.optimizers[name].step()

    def act(self, count):
        """Steps of collecting: means, actions drawn around them, and how likely those were."""
        actor, steps = self.networks["actor"], self.observations["actor"].unbind(0)
        h, c = self.h, self.c
        for index in range(count):
            at = index % len(steps)
            x = torch.relu(actor.encoder(steps[at]))
            h, c = h * self.keep[at], c * self.keep[at]
            if actor.way == "lstm":
                _, (h, c) = actor.core(x[None], (h[None], c[None]))
                h, c = h[0], c[0]
            else:
                h, c = actor.step(actor.given(x), h, c)
            mean = actor.head(h)
            actions = torch.addcmul(mean, torch.exp(actor.log_std), torch.randn_like(mean))
            self.log_prob(mean, actions)


def timed(device, work):
    def finish():
        if device != "cpu":
            torch.cuda.synchronize()

    finish()
    begun = time.perf_counter()
    work()
    finish()
    return {"secs": time.perf_counter() - begun}


class Worker:
    def __init__(self):
        self.problems = {}

    def hello(self, _asked):
        torch.set_flush_denormal(True)
        return {"torch": torch.__version__, "python": platform.python_version(), "cuda": torch.cuda.is_available()}

    def prepare(self, asked):
        self.problems[asked["name"]] = Problem(asked)

    def forget(self, _asked):
        self.problems.clear()

    def epochs(self, asked):
        torch.set_num_threads(asked["threads"])
        problem = self.problems[asked["name"]]

        def work():
            for _ in range(asked["count"]):
                for name in asked["networks"]:
                    problem.epoch(name)

        return timed(problem.device, work)

    def steps(self, asked):
        torch.set_num_threads(asked["threads"])
        problem = self.problems[asked["name"]]
        with torch.inference_mode():
            return timed(problem.device, lambda: problem.act(asked["count"]))

    def peak(self, asked):
        torch.set_num_threads(asked["threads"])
        width, device = asked["width"], asked["device"]
        left, right, out = (torch.rand(width, width, device=device) for _ in range(3))
        with torch.inference_mode():
            return min((timed(device, lambda: torch.mm(left, right, out=out)) for _ in range(4)), key=lambda of: of["secs"])


def main():
    # Ctrl-C is for the program that asks: it closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = Worker()
    for line in sys.stdin:
        try:
            asked = json.loads(line)
            reply = {"ok": getattr(worker, asked["do"])(asked)}
        except Exception as error:  # told to the one who asked
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
