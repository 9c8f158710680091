import { z } from "zod";

/**
 * Who is who: what one person is called in Git, at the forge and by the issuer. Declared in `.xcf.yaml` and read from the
 * governance commit, so that a proposal cannot turn its author into somebody else.
 */
export const identitiesSchema = z.strictObject({
  /** Mail domains where one address is one person, as the issuer verifies it; such an address needs no entry below. */
  domains: z
    .array(
      z
        .string()
        .regex(/^[a-z0-9.-]+$/)
        .max(253),
    )
    .max(1_000)
    .optional(),
  /** People with everything they are called: e-mail addresses, `github:login`, `<issuer>|<sub>`. */
  people: z.record(z.string().min(1).max(100), z.array(z.string().min(1).max(320)).min(1).max(100)).optional(),
  /** Programs that commit. They count as authors of nothing a person could be, and never approve. */
  bots: z.array(z.string().min(1).max(320)).max(1_000).optional(),
});
export type Identities = z.infer<typeof identitiesSchema>;

/** `id` is the same for everything that one person or bot is called. */
export type Identity =
  | { readonly kind: "person" | "bot"; readonly id: string }
  | { readonly kind: "unmapped"; readonly id: string };

/** Identities are compared as lower-case text without surrounding space, so that an alias in capitals stays the author. */
export function normalizeIdentity(subject: string): string {
  return subject.normalize("NFKC").trim().toLowerCase();
}

/** Addresses that forges write for people who keep theirs private: the login is what they say. */
const NOREPLY = /^(?:\d+[+-])?([^@]+)@users\.noreply\.(github|gitlab)\.com$/;
const FORGE_COMMITTERS = new Set(["noreply@github.com", "noreply@gitlab.com"]);
/** How processes call themselves; no person is called so. */
const MACHINE = /^(?:service|runner|admin):/;
const EMAIL = /^[^\s@:|]+@[a-z0-9.-]+$/;

/**
 * Who `alias` is. Without a declaration an address is its own person; with one, who is neither listed nor in one of its
 * domains is nobody we know.
 */
export function resolveIdentity(identities: Identities | undefined, alias: string): Identity {
  const name = canonicalAlias(alias);
  const listed = Object.entries(identities?.people ?? {}).find(([, aliases]) =>
    aliases.map(canonicalAlias).includes(name),
  );
  if (listed !== undefined) return { kind: "person", id: `person:${listed[0]}` };
  const isBot = FORGE_COMMITTERS.has(name) || name.endsWith("[bot]") || MACHINE.test(name);
  if (isBot || identities?.bots?.map(canonicalAlias).includes(name)) return { kind: "bot", id: name };
  const domain = name.slice(name.lastIndexOf("@") + 1);
  const known = identities === undefined || identities.domains?.includes(domain) === true;
  return { kind: EMAIL.test(name) && known ? "person" : "unmapped", id: name };
}

/** The one spelling of what differs in writing only: capitals, a `+tag`, a forge's private address. */
function canonicalAlias(alias: string): string {
  const name = normalizeIdentity(alias);
  const [, login, forge] = NOREPLY.exec(name) ?? [];
  return login === undefined ? name.replace(/^([^@+]+)\+[^@]*@/, "$1@") : `${forge}:${login}`;
}

/** Of all that somebody is called, the names by which they are known; the first name, where they are known by none. */
export function knownNames(
  identities: Identities | undefined,
  names: readonly [string, ...string[]],
): readonly string[] {
  const known = names.filter((name) => resolveIdentity(identities, name).kind !== "unmapped");
  return known.length === 0 ? [names[0]] : known;
}
