/** SQLSTATE of a database error of either driver, such as `23505`. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}

/** Whether the statement broke a unique constraint (that one, if named). */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (sqlState(error) !== "23505") return false;
  return (
    constraint === undefined ||
    (typeof error === "object" && error !== null && "constraint" in error && error.constraint === constraint)
  );
}

/** Serialization failure or deadlock: the transaction was undone because another one won, and may simply be run again. */
export function isLostRace(error: unknown): boolean {
  const state = sqlState(error);
  return state === "40001" || state === "40P01";
}

/** A statement that writes, in a transaction that may only read. */
export function isWriteRefused(error: unknown): boolean {
  return sqlState(error) === "25006";
}
