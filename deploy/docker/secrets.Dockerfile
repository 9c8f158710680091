# syntax=docker/dockerfile:1
# The secrets service. Built from the repository's root: docker build -f deploy/docker/secrets.Dockerfile .
# Pass NODE_IMAGE with a digest in earnest, see deploy/docker/README.md.
ARG NODE_IMAGE=node:24-slim
ARG GO_IMAGE=golang:1.26

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY . .
RUN npm ci --ignore-scripts && npm rebuild esbuild
RUN node tools/bundle-process.ts services/secrets/src/main.ts /app

FROM ${GO_IMAGE} AS sops
COPY tools/sops /src
WORKDIR /src
RUN CGO_ENABLED=0 GOWORK=off go build -trimpath -mod=readonly -ldflags="-s -w -X github.com/getsops/sops/v3/version.Version=3.13.3" -o /out/ tool

FROM ${NODE_IMAGE}
ENV NODE_ENV=production NODE_OPTIONS=--enable-source-maps
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=sops /out/sops /usr/local/bin/sops
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
EXPOSE 8443 8080
CMD ["node", "/app/main.js"]
