import { type RawBuilder, sql } from "kysely";

/**
 * A value for a `jsonb` column. Only for what is queried: `jsonb` forgets the order of keys and how numbers were written.
 * Documents that are hashed or given back byte for byte go in `bytea` or `text`. Always write arrays and strings through
 * this: the drivers disagree on what a bare array parameter is.
 */
export function jsonb<T>(value: T): RawBuilder<T> {
  return sql<T>`${JSON.stringify(value)}::jsonb`;
}
