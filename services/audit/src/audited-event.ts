import { eventType, type XcfEvent } from "@xcloudflow/chassis/event";
import { hashLeaf, type MerkleHash } from "@xcloudflow/model/merkle";

/** An event as the log keeps it: the bytes that are hashed, and what it is looked up by. */
export interface AuditedEvent {
  readonly tenant: string;
  readonly id: string;
  readonly type: string;
  readonly actor: string;
  readonly concerns: readonly string[];
  readonly time: Date;
  readonly leaf: Uint8Array;
  readonly leafHash: MerkleHash;
}

/** Members of an event's data that name what it is about, besides its subject. */
const NAMING = ["unit", "run", "changeSet", "environment", "task", "token", "secret"];

export function auditedEvent(event: XcfEvent, leaf: Uint8Array): AuditedEvent {
  const named = NAMING.map((key) => event.data[key]).filter((value) => typeof value === "string" && value !== "");
  const concerns = [...new Set([event.subject, ...named])].filter((value) => typeof value === "string");
  return {
    tenant: event.tenant,
    id: event.id,
    type: eventType(event),
    actor: event.actor,
    concerns,
    time: new Date(event.time),
    leaf,
    leafHash: hashLeaf(leaf),
  };
}
