//go:build tools

// Package tools keeps k3d in go.mod.
package tools

import (
	_ "github.com/k3d-io/k3d/v5"
)
