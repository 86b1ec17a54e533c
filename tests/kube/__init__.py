"""A real Kubernetes for tests: the control plane on loopback, and a node that is real or played."""
