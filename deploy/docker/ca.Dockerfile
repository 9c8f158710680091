# syntax=docker/dockerfile:1
# Makes certificates and keys for the compose file, then ends. Built from the repository's root: docker build -f deploy/docker/ca.Dockerfile .
# Pass NODE_IMAGE with a digest in earnest, see deploy/docker/README.md.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY . .
RUN npm ci --ignore-scripts && npm rebuild esbuild
RUN node tools/bundle-process.ts deploy/mesh/src/ca-main.ts /app

FROM ${NODE_IMAGE}
ENV NODE_ENV=production NODE_OPTIONS=--enable-source-maps
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
CMD ["node", "/app/main.js"]
