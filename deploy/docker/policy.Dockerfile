# syntax=docker/dockerfile:1
# The policy service. Built from the repository's root: docker build -f deploy/docker/policy.Dockerfile .
# Pass NODE_IMAGE with a digest in earnest, see deploy/docker/README.md.
ARG NODE_IMAGE=node:24-slim
ARG GO_IMAGE=golang:1.26

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY . .
RUN npm ci --ignore-scripts && npm rebuild esbuild
RUN node tools/bundle-process.ts services/policy/src/main.ts /app

FROM ${GO_IMAGE} AS opa
COPY tools/opa /src
WORKDIR /src
RUN CGO_ENABLED=0 GOWORK=off go build -trimpath -mod=readonly -ldflags="-s -w" -o /out/ tool

FROM ${NODE_IMAGE}
ENV NODE_ENV=production NODE_OPTIONS=--enable-source-maps
COPY --from=opa /out/opa /usr/local/bin/opa
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
EXPOSE 8443 8080
CMD ["node", "/app/main.js"]
