/**
 * Remembers the newest checkpoint of each log where whoever can write the database cannot reach: a file in the user's
 * configuration folder, an object store with retention, a forge. It is what makes a log that was cut back together with
 * its checkpoints look shorter than it was.
 */
export interface CheckpointWitness {
  latest(origin: string): Promise<string | undefined>;
  record(origin: string, note: string): Promise<void>;
}

/** Remembers nothing: for processes whose checkpoints leave the database another way. */
export const noWitness: CheckpointWitness = {
  latest: async () => undefined,
  record: async () => undefined,
};
