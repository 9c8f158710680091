# syntax=docker/dockerfile:1
# The planner service. Built from the repository's root: docker build -f deploy/docker/planner.Dockerfile .
# Pass NODE_IMAGE with a digest in earnest, see deploy/docker/README.md.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY . .
RUN npm ci --ignore-scripts && npm rebuild esbuild
RUN node tools/bundle-process.ts services/planner/src/main.ts /app

FROM ${NODE_IMAGE}
ENV NODE_ENV=production NODE_OPTIONS=--enable-source-maps
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git openssh-client && rm -rf /var/lib/apt/lists/*
COPY --from=build /app /app
RUN mkdir -p /var/cache/xcf && chown 10001:10001 /var/cache/xcf
WORKDIR /app
USER 10001:10001
EXPOSE 8443 8080
CMD ["node", "/app/main.js"]
