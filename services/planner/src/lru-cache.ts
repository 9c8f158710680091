/** Keeps what was used last, up to a weight; what is recomputable anyway may go at any time. */
export interface LruCache<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  readonly size: number;
}

/** @param capacity most weight kept; `weigh` is 1 an entry unless given. */
export function createLruCache<K, V>(capacity: number, weigh: (value: V) => number = () => 1): LruCache<K, V> {
  const entries = new Map<K, V>();
  let weight = 0;
  return {
    get size() {
      return entries.size;
    },
    get(key) {
      const value = entries.get(key);
      if (value === undefined) return undefined;
      // A Map lists its keys in the order of insertion: the first is the one not used for longest.
      entries.delete(key);
      entries.set(key, value);
      return value;
    },
    set(key, value) {
      const before = entries.get(key);
      if (before !== undefined) weight -= weigh(before);
      entries.delete(key);
      entries.set(key, value);
      weight += weigh(value);
      for (const [oldest, old] of entries) {
        if (weight <= capacity || oldest === key) break;
        entries.delete(oldest);
        weight -= weigh(old);
      }
    },
  };
}
