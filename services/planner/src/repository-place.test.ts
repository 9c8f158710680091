import assert from "node:assert/strict";
import { test } from "node:test";
import { isAllowedRepository } from "./repository-place.ts";

const ALLOWED = ["/srv/git", "https://git.example/infra/", "ssh://git@git.example/infra"];

for (const place of [
  "/srv/git",
  "/srv/git/shop",
  "https://git.example/infra/shop.git",
  "ssh://git@git.example/infra/shop.git",
]) {
  test(`a repository below an allowed prefix may be read: ${place}`, () => {
    assert.equal(isAllowedRepository(place, ALLOWED), true);
  });
}

for (const place of [
  "/srv/git-private",
  "/srv/git/../secrets",
  "srv/git/shop",
  "/etc",
  "https://git.example/other/shop.git",
  "https://git.example/infra/../other.git",
  "https://git.example.evil/infra/shop.git",
  "https://user:word@git.example/infra/shop.git",
  "https://user@git.example/infra/shop.git",
  "https://git.example/infra/shop.git?x=1",
  "file:///srv/git/shop",
  "ext::sh -c id",
  "",
]) {
  test(`any other place may not: ${JSON.stringify(place)}`, () => {
    assert.equal(isAllowedRepository(place, ALLOWED), false);
  });
}
