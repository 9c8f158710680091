import type { CancelTimer, Clock } from "@xcloudflow/chassis/clock";
import type { TaskPrompt } from "@xcloudflow/chassis/task-prompts";

/** A third of the time after which a prompt is somebody else's. */
const EXTEND_MS = 10_000;
/** A claim in vain: the task has ended, or its environment runs as many as it may. */
const FIRST_LATER_MS = 1_000;

/**
 * Claims and works while the prompt is held. What was claimed is not always what was prompted; it does not matter, since
 * there are as many prompts as tasks. A prompt whose claim found nothing comes again after a while; when its task has
 * ended meanwhile, the orchestrator has taken it off the list of what is announced, and it comes in vain once more at most.
 *
 * @param work answers whether there was anything to do.
 */
export async function holdingPrompt(
  prompt: TaskPrompt | undefined,
  clock: Clock,
  work: () => Promise<boolean>,
): Promise<void> {
  let timer: CancelTimer = () => undefined;
  const extend = (): void => {
    prompt?.extend();
    timer = clock.schedule(EXTEND_MS, extend);
  };
  timer = clock.schedule(EXTEND_MS, extend);
  let worked = false;
  try {
    worked = await work();
  } finally {
    timer();
    await (worked ? prompt?.done() : prompt?.later(FIRST_LATER_MS));
  }
}
