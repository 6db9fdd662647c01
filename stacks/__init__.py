"""Stacks: configuration, the clusters it can aim at, the layer graph, and the runner behind `make up`."""
