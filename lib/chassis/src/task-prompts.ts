import { z } from "zod";
import type { Bus } from "./bus.ts";
import { escapeSubjectToken } from "./bus-subject.ts";

/**
 * The seam between the orchestrator's queue of tasks and the workers of other machines: a prompt says that a task is there
 * to be claimed, no more. The claim decides. A prompt lives as long as its task, so that the number of prompts is the
 * number of queued and running tasks, which is what pools are scaled by.
 */
export interface TaskPrompts {
  /**
   * The next prompt for one of this worker's engines, which is then this worker's alone until it settles it or stops
   * extending it. Undefined when the signal is aborted, or nothing came for a while: claim all the same then, since prompts
   * are only hints.
   */
  next(signal: AbortSignal): Promise<TaskPrompt | undefined>;
  /** Gives back what it holds but was not asked for; prompts that were handed out can still be settled. */
  close(): Promise<void>;
}

export interface TaskPrompt {
  readonly tenant: string;
  readonly task: string;
  /** Say this at each heartbeat: the prompt stays ours. */
  extend(): void;
  /** The task has ended, or there is none such; the prompt is gone. */
  done(): Promise<void>;
  /** Not ours now (somebody else works on it, or it must wait): whoever is free is prompted again after so long. */
  later(delayMs: number): Promise<void>;
}

export interface TaskAnnouncement {
  readonly tenant: string;
  readonly task: string;
  /** The attempt it prompts to; announcing the same again is free. */
  readonly attempt: number;
  readonly engine: string;
  /** `plan`, `apply`; empty for workers that take any. */
  readonly pool: string;
}

export interface TaskAnnouncer {
  /** @throws {BusUnavailableError} when the prompt is not held; the task is in the database all the same. */
  announceTask(announcement: TaskAnnouncement): Promise<void>;
  close(): Promise<void>;
}

const promptBodySchema = z.strictObject({ tenant: z.string().min(1), task: z.string().min(1) });
export type PromptBody = z.infer<typeof promptBodySchema>;

const ANY_POOL = "any";

/** `xcf.task.<engine>.<pool>` */
export function taskSubject(engine: string, pool: string): string {
  return ["xcf.task", ...partsOf(engine, pool)].join(".");
}

/** `runner-<engine>-<pool>`: the name that a KEDA scaler is given. */
export function runnerConsumer(engine: string, pool: string): string {
  return ["runner", ...partsOf(engine, pool)].join("-");
}

function partsOf(engine: string, pool: string): readonly string[] {
  return [escapeSubjectToken(engine), pool === "" ? ANY_POOL : escapeSubjectToken(pool)];
}

/** Publishes the prompt; the message says which task it is, everything else is in the database. */
export async function publishPrompt(bus: Bus, announcement: TaskAnnouncement): Promise<void> {
  const { tenant, task, attempt, engine, pool } = announcement;
  const body: PromptBody = { tenant, task };
  const data = new TextEncoder().encode(JSON.stringify(body));
  await bus.publish(taskSubject(engine, pool), { id: `${task}.${attempt}`, data });
}

/** What a prompt says, or undefined when it is none of ours. */
export function parsePrompt(data: Uint8Array): PromptBody | undefined {
  try {
    return promptBodySchema.safeParse(JSON.parse(new TextDecoder().decode(data))).data;
  } catch {
    return undefined;
  }
}
