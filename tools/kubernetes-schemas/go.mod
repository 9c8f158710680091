module github.com/xcloudflow/xcloudflow/tools/kubernetes-schemas

go 1.26.0

// Holds no program: the OpenAPI document in its artifacts is what tools/kubernetes-schemas.ts reads.
require k8s.io/cli-runtime v0.37.0
