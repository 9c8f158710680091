import type { Clock } from "@xcloudflow/chassis/clock";
import type { TaskPrompt, TaskPrompts } from "@xcloudflow/chassis/task-prompts";
import type { Assignment } from "@xcloudflow/proto/runner/v1/runner_pb";
import type { Engine } from "./engine.ts";
import { type Claimed, holdPrompt } from "./prompt-holder.ts";
import type { OrchestratorClient } from "./worker-clients.ts";

export interface TaskClaimsOptions {
  readonly worker: string;
  readonly engines: readonly Engine[];
  readonly pool: string;
  /** Whose tasks are claimed where no prompt names a tenant. */
  readonly tenant: string;
  readonly orchestratorOf: (tenant: string) => OrchestratorClient;
  readonly prompts: TaskPrompts | undefined;
  /** How long a claim waits at the orchestrator where there are no prompts, in seconds. */
  readonly waitSeconds: number;
  readonly clock: Clock;
  /** Takes no more once it is aborted. */
  readonly closing: AbortSignal;
  readonly work: (assignment: Assignment) => Promise<void>;
}

/**
 * Waits for one task where it is told to, at the orchestrator or for a prompt of the bus, and works on it. Without a
 * prompt for a while a claim is made all the same: prompts are hints. Answers whether there was a task.
 */
export async function takeTask(options: TaskClaimsOptions): Promise<boolean> {
  const { prompts, closing, clock } = options;
  const prompt = await prompts?.next(closing);
  if (closing.aborted) {
    await prompt?.later(0);
    return false;
  }
  const claimed =
    prompt === undefined
      ? await claimAndWork(options, undefined)
      : await holdPrompt(prompt, clock, () => claimAndWork(options, prompt));
  return claimed === "worked";
}

async function claimAndWork(options: TaskClaimsOptions, prompt: TaskPrompt | undefined): Promise<Claimed> {
  const { worker, engines, pool, tenant, orchestratorOf, prompts, waitSeconds, closing, work } = options;
  const { assignment, promptedTaskOpen } = await orchestratorOf(prompt?.tenant ?? tenant).claimTask(
    {
      worker,
      engines: engines.flatMap(versionsOf),
      pool,
      waitSeconds: prompts === undefined ? waitSeconds : 0,
      promptedTask: prompt?.task ?? "",
    },
    { signal: closing },
  );
  if (assignment === undefined) return promptedTaskOpen ? "open" : "gone";
  await work(assignment);
  return "worked";
}

function versionsOf({ name, version, otherVersions = [] }: Engine) {
  return [version, ...otherVersions].map((offered) => ({ name, version: offered }));
}
