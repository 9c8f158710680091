import type { CancelTimer, Clock } from "@xcloudflow/chassis/clock";
import type { TaskPrompt } from "@xcloudflow/chassis/task-prompts";

/** A third of the time after which a prompt is somebody else's. */
const EXTEND_MS = 10_000;
/** The prompted task is somebody's, or its environment runs as many as it may. */
const LATER_MS = 1_000;

/** What came of a claim: a task was worked on, there was none but the prompted one is still open, or it has ended. */
export type Claimed = "worked" | "open" | "gone";

/**
 * Claims and works while the prompt is held. What is claimed is not always what was prompted; that does not matter, since
 * there are as many prompts as tasks.
 */
export async function holdPrompt(prompt: TaskPrompt, clock: Clock, work: () => Promise<Claimed>): Promise<Claimed> {
  let timer: CancelTimer = clock.schedule(EXTEND_MS, extend);
  function extend(): void {
    prompt.extend();
    timer = clock.schedule(EXTEND_MS, extend);
  }
  let claimed: Claimed = "open";
  try {
    claimed = await work();
    return claimed;
  } finally {
    timer();
    await (claimed === "open" ? prompt.later(LATER_MS) : prompt.done());
  }
}
