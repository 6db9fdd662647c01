// Command etcd is the upstream server: its own main lies in a module that others cannot build.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
