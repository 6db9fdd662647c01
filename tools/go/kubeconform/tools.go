//go:build tools

// Package tools keeps kubeconform in go.mod.
package tools

import (
	_ "github.com/yannh/kubeconform/cmd/kubeconform"
)
