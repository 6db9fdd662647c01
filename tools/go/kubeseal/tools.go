//go:build tools

// Package tools keeps kubeseal in go.mod.
package tools

import (
	_ "github.com/bitnami-labs/sealed-secrets/cmd/kubeseal"
)
