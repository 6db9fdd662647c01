//go:build tools

// Package tools keeps nats-server in go.mod.
package tools

import (
	_ "github.com/nats-io/nats-server/v2"
)
