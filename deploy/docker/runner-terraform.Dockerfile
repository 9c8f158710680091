# syntax=docker/dockerfile:1
# A worker with OpenTofu. To bring Terraform instead, put it at /usr/local/bin/terraform and set XCF_TOOL_TERRAFORM.
# Built from the repository's root: docker build -f deploy/docker/runner-terraform.Dockerfile .
# Pass NODE_IMAGE with a digest in earnest, see deploy/docker/README.md.
ARG NODE_IMAGE=node:24-slim
ARG GO_IMAGE=golang:1.26

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY . .
RUN npm ci --ignore-scripts && npm rebuild esbuild
RUN node tools/bundle-process.ts runners/terraform/src/main.ts /app

FROM ${GO_IMAGE} AS tofu
COPY tools/opentofu /src
WORKDIR /src
RUN CGO_ENABLED=0 GOWORK=off go build -trimpath -mod=readonly -ldflags="-s -w -X github.com/opentofu/opentofu/version.dev=no" -o /out/ tool

FROM ${NODE_IMAGE}
ENV NODE_ENV=production NODE_OPTIONS=--enable-source-maps
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git openssh-client && rm -rf /var/lib/apt/lists/*
COPY --from=tofu /out/tofu /usr/local/bin/tofu
COPY --from=build /app /app
RUN mkdir -p /var/lib/xcf/scratch /var/cache/xcf && chown 10001:10001 /var/lib/xcf/scratch /var/cache/xcf
WORKDIR /app
USER 10001:10001
EXPOSE 8443 8080
CMD ["node", "/app/main.js"]
