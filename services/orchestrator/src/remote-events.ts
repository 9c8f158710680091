import type { XcfEvent } from "@xcloudflow/chassis/event";
import { z } from "zod";
import type { Command } from "./decision.ts";

const aboutRun = z.object({ run: z.string() });
const aboutTask = z.object({ engine: z.string(), pool: z.string() });

/**
 * What somebody waiting in this process should hear of an event that another replica has committed: claims of an engine's
 * next task, watchers of a run. Never a reason to drive: whoever commits a change drives what it changes, and should it die
 * first, a sweep does; if every replica drove on every event, each would do all the work. An event that is lost, late, heard
 * twice or of a newer version costs a poll interval at most, so what is not understood says nothing.
 */
export function commandsOf({ service, noun, verb, subject, data }: XcfEvent): Command[] {
  if (service !== "orchestrator" || subject === undefined) return [];
  if (noun === "run") return [{ kind: "notify", run: subject }];
  const run = aboutRun.safeParse(data);
  if (!run.success) return [];
  if (noun === "task") {
    const task = aboutTask.safeParse(data);
    return task.success && verb === "queued"
      ? [
          { kind: "offer", ...task.data },
          { kind: "notify", run: run.data.run, units: [subject] },
        ]
      : [];
  }
  if (noun !== "step" && noun !== "attempt") return [];
  // A step that ends badly takes others with it.
  const others = noun === "step" && (verb === "failed" || verb === "canceled");
  return [{ kind: "notify", run: run.data.run, ...(others ? {} : { units: [subject] }) }];
}
