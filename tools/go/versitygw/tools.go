//go:build tools

// Package tools keeps versitygw in go.mod.
package tools

import (
	_ "github.com/versity/versitygw/cmd/versitygw"
)
