//go:build tools

// Package kubectl pins the kubectl that the tests use.
package kubectl

import _ "k8s.io/kubernetes/cmd/kubectl"
