/** Parsed immutable documents by id: a ChangeSet of 200 units takes tens of milliseconds to read and check again. */
export interface DocumentCache<T> {
  get(id: string, load: () => Promise<T>): Promise<T>;
}

/** Keeps the `capacity` documents used last. A load that failed is not remembered. */
export function createDocumentCache<T>(capacity: number): DocumentCache<T> {
  const kept = new Map<string, Promise<T>>();
  return {
    get(id, load) {
      const known = kept.get(id);
      kept.delete(id);
      const document = known ?? load();
      kept.set(id, document);
      document.catch(() => kept.delete(id));
      const [oldest] = kept.keys();
      if (kept.size > capacity && oldest !== undefined) kept.delete(oldest);
      return document;
    },
  };
}
