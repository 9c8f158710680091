# syntax=docker/dockerfile:1
# The state service. Built from the repository's root: docker build -f deploy/docker/state.Dockerfile .
# Pass NODE_IMAGE with a digest in earnest, see deploy/docker/README.md.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY . .
RUN npm ci --ignore-scripts && npm rebuild esbuild
RUN node tools/bundle-process.ts services/state/src/main.ts /app

FROM ${NODE_IMAGE}
ENV NODE_ENV=production NODE_OPTIONS=--enable-source-maps
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
EXPOSE 8443 8080
CMD ["node", "/app/main.js"]
