"""The process that clients talk to: what Istio and Seldon's executor are on a cluster."""
