//go:build tools

// Package helm3 pins the Helm 3 that the tests of the chart run.
package helm3

import _ "helm.sh/helm/v3/cmd/helm"
