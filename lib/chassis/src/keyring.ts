import { createHmac, hkdfSync, randomBytes } from "node:crypto";
import type { DataKey } from "./envelope-encryption.ts";
import { DataKeyMissingError, DataKeyUnwrapError } from "./keyring-errors.ts";

/**
 * The seam for the key that protects all others: an age key in the user's configuration folder (embedded), a KMS (mesh).
 * It never meets the data: it wraps the tenants' data keys, which are kept wrapped in the database.
 */
export interface KeyEncryption {
  /** Names the key, so that a wrapped key says what unwraps it: `age:age1…`. */
  readonly id: string;
  wrap(key: Uint8Array): Promise<Uint8Array>;
  /** @throws {DataKeyUnwrapError} when it was wrapped by another key or changed since. */
  unwrap(wrapped: Uint8Array): Promise<Uint8Array>;
}

/** A data key as the database keeps it. Generations count from 1; the highest seals what is new. */
export interface WrappedDataKey {
  readonly id: string;
  readonly generation: number;
  readonly keyEncryption: string;
  readonly wrapped: Uint8Array;
}

/** Where wrapped keys are kept; a store of the service that owns the keyring. */
export interface WrappedDataKeyStore {
  /** Oldest first. */
  list(tenant: string): Promise<readonly WrappedDataKey[]>;
  /** False when the generation is taken: somebody else was first, and their key counts. */
  add(tenant: string, key: WrappedDataKey): Promise<boolean>;
}

/** The data keys of every tenant, unwrapped in memory when first needed. */
export interface Keyring {
  /** The key that seals new data; made on a tenant's first use. */
  current(tenant: string): Promise<DataKey>;
  /** @throws {DataKeyMissingError} when the tenant has no such key. */
  byId(tenant: string, id: string): Promise<DataKey>;
  /** Every key there is now: fetched before a transaction that opens what any of them sealed. */
  all(tenant: string): Promise<DataKeys>;
  /** Adds a key; from now on it seals what is new, and older ones only open. */
  rotate(tenant: string): Promise<DataKey>;
  /**
   * 32 bytes for one purpose, derived (HKDF-SHA-256) from the tenant's first data key, so that a rotation changes no
   * HMAC that somebody compares.
   */
  derive(tenant: string, purpose: string): Promise<Uint8Array>;
}

export interface DataKeys {
  readonly current: DataKey;
  /** @throws {DataKeyMissingError} */
  byId(id: string): DataKey;
}

const KEY_BYTES = 32;
const ID_BYTES = 16;

interface TenantKeys {
  readonly first: DataKey;
  readonly current: DataKey;
  readonly generation: number;
  readonly byId: ReadonlyMap<string, DataKey>;
}

export function createKeyring(options: {
  readonly keyEncryption: KeyEncryption;
  readonly store: WrappedDataKeyStore;
}): Keyring {
  const { keyEncryption, store } = options;
  const unwrapped = new Map<string, DataKey>();
  const tenants = new Map<string, Promise<TenantKeys>>();

  async function load(tenant: string): Promise<TenantKeys> {
    let wrapped = await store.list(tenant);
    if (wrapped.length === 0) {
      await addKey(tenant, 1);
      wrapped = await store.list(tenant);
    }
    const keys: DataKey[] = [];
    for (const key of wrapped) keys.push(await unwrapKey(tenant, key));
    const [first] = keys;
    const current = keys.at(-1);
    if (first === undefined || current === undefined) throw new DataKeyMissingError(tenant, "of the first generation");
    return {
      first,
      current,
      generation: wrapped.at(-1)?.generation ?? 1,
      byId: new Map(keys.map((key) => [key.id, key])),
    };
  }

  async function addKey(tenant: string, generation: number): Promise<void> {
    const id = randomBytes(ID_BYTES).toString("hex");
    const wrapped = await keyEncryption.wrap(bindKey(tenant, id, randomBytes(KEY_BYTES)));
    await store.add(tenant, { id, generation, keyEncryption: keyEncryption.id, wrapped });
  }

  async function unwrapKey(tenant: string, key: WrappedDataKey): Promise<DataKey> {
    const where = `data key ${key.id} of tenant ${tenant}`;
    const known = unwrapped.get(`${tenant}/${key.id}`);
    if (known !== undefined) return known;
    if (key.keyEncryption !== keyEncryption.id) {
      throw new DataKeyUnwrapError(
        where,
        `it was wrapped by ${key.keyEncryption}, but this process has ${keyEncryption.id}`,
      );
    }
    const fresh = { id: key.id, bytes: releaseKey(tenant, key.id, await keyEncryption.unwrap(key.wrapped), where) };
    unwrapped.set(`${tenant}/${key.id}`, fresh);
    return fresh;
  }

  function reload(tenant: string): Promise<TenantKeys> {
    const loading = load(tenant);
    tenants.set(tenant, loading);
    // A failure is the caller's to see, and must not be remembered: the next call tries again.
    loading.catch(() => {
      if (tenants.get(tenant) === loading) tenants.delete(tenant);
    });
    return loading;
  }

  const known = (tenant: string): Promise<TenantKeys> => tenants.get(tenant) ?? reload(tenant);

  return {
    current: async (tenant) => (await known(tenant)).current,
    async byId(tenant, id) {
      const key = (await known(tenant)).byId.get(id) ?? (await reload(tenant)).byId.get(id);
      if (key === undefined) throw new DataKeyMissingError(tenant, id);
      return key;
    },
    async all(tenant) {
      const keys = await reload(tenant);
      return {
        current: keys.current,
        byId(id) {
          const key = keys.byId.get(id);
          if (key === undefined) throw new DataKeyMissingError(tenant, id);
          return key;
        },
      };
    },
    async rotate(tenant) {
      const before = await reload(tenant);
      await addKey(tenant, before.generation + 1);
      return (await reload(tenant)).current;
    },
    async derive(tenant, purpose) {
      const { first } = await known(tenant);
      return new Uint8Array(hkdfSync("sha256", first.bytes, tenant, `xcloudflow/${purpose}`, KEY_BYTES));
    },
  };
}

/** The wrapped text says whose key it is, so that a wrapped key copied to another tenant's row does not open. */
function bindKey(tenant: string, id: string, key: Uint8Array): Uint8Array {
  return Buffer.concat([bindingOf(tenant, id), key]);
}

function releaseKey(tenant: string, id: string, unwrapped: Uint8Array, where: string): Uint8Array {
  const binding = bindingOf(tenant, id);
  const key = unwrapped.subarray(binding.length);
  if (key.length !== KEY_BYTES || !binding.equals(unwrapped.subarray(0, binding.length))) {
    throw new DataKeyUnwrapError(where, "the wrapped key belongs to another tenant");
  }
  return key;
}

function bindingOf(tenant: string, id: string): Buffer {
  return createHmac("sha256", "xcloudflow/data-key").update(id).update("\0").update(tenant).digest();
}
