"""Mutations of autoencoders and of greedy pre-training."""

AUTOENCODERS = "tinydl/test_autoencoder.py"

CHAPTERS = [
    ("tinydl/unsupervised/reconstruction.py", AUTOENCODERS, [
        ("return ops.sigmoid(a) if self.visible == \"binary\" else a", "return a"),
        ("ops.softplus(a) - x * a", "ops.softplus(a) + x * a"),
        ("for p in self.parameters() if p.ndim > 1], \"weight_decay\": weight_decay}",
         "for p in self.parameters() if p.ndim > 1], \"weight_decay\": 0.0}"),
        ("\"weight_decay\": 0.0}],", "\"weight_decay\": weight_decay}],"),
        ("        if falling:", "        if True:"),
        ("epochs * len(loader)", "len(loader)"),
        (".fit(loader, valid, epochs)", ".fit(loader, None, epochs)"),
        ("low >= 0 and high <= 1", "high <= 1"),
        ("shuffle=True, rng=rng)", "shuffle=True)"),
        ("function(Tensor._of(X[n:n + PART]))", "function(Tensor._of(X[n:n + PART - 1]))"),
    ]),
    ("tinydl/unsupervised/autoencoder.py", AUTOENCODERS, [
        ("None if tied else init", "None if not tied else init"),
        ("return self.error(self.encode(damaged), x)", "return self.error(self.encode(damaged), damaged)"),
        ("if self.training else x", "if True else x"),
        ("u >= self.corruption)", "u >= 1 - self.corruption)"),
        ("u < self.corruption / 2", "u < self.corruption"),
        ("dtype.type(self.corruption) * rng", "dtype.type(self.corruption**0.5) * rng"),
        ("rho * (np.log(rho) - ops.log(rho_j))", "rho * (ops.log(rho_j) - np.log(rho))"),
        ("1e-6 + (1 - 2e-6) * ops.mean(h, axis=0)", "ops.mean(h, axis=0)"),
        ("slope * slope, ops.sum(self.W * self.W, axis=1)", "slope, ops.sum(self.W * self.W, axis=1)"),
        ("+ self.weight * self.contraction(h)", "+ self.contraction(h)"),
        ("+ self.weight * self.divergence(h)", "+ self.divergence(h)"),
    ]),
    ("tinydl/unsupervised/variational.py", AUTOENCODERS, [
        ("ops.exp(0.5 * log_variance) * noise", "ops.exp(log_variance) * noise"),
        ("- divergence_from_normal(mean, log_variance)", "+ divergence_from_normal(mean, log_variance)"),
        ("- 0.5 * self.n_visible * math.log(2 * math.pi)", "- 0.5 * math.log(2 * math.pi)"),
        ("- 1 - log_variance, axis", "- 1 - 2 * log_variance, axis"),
        ("return -self.elbo(x)", "return self.elbo(x)"),
        ("generator(rng).standard_normal((n, self.n_hidden))", "generator(rng).random((n, self.n_hidden))"),
    ]),
    ("tinydl/unsupervised/pretraining.py", "tinydl/test_pretraining.py", [
        ("machine.fit(h, rng=rng, **options)", "machine.fit(h, rng=rng)"),
        ("        h = machine.transform(h) if", "        h = machine.reconstruct(h) if"),
        ("for layer in (_linear(machine), nn.Sigmoid())]", "for layer in (_linear(machine), nn.Tanh())]"),
        ("(machine.W._data.T, machine.b)", "(machine.W._data.T, machine.b * 0)"),
        ("layer.weight.copy_(weight)", "pass"),
        ("for machine in reversed(machines):", "for machine in machines:"),
        ("layers[:len(layers) - (machines[0].visible == \"gaussian\")]", "layers"),
        ("machine.n_visible != width:", "machine.n_visible < 0:"),
        ("        width = machine.n_hidden", "        width = machine.n_visible"),
        ("machine.W._data.T if machine.tied else", "machine.W._data.T if True else"),
    ]),
]
