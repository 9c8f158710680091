module github.com/xcloudflow/xcloudflow/tools/schemas

go 1.24

// Only its .proto files are used: proto/protovalidate/buf/validate. Nothing of it is compiled, so `go mod tidy` would drop it.
require github.com/bufbuild/protovalidate v1.2.2
