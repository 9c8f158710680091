import { defineDuration, observeGauges } from "@xcloudflow/chassis/instruments";

/** Labels: `engine`, `verb` (its first argument: `plan`), `exit` (exit code, or the signal that ended it). */
export const engineDuration = defineDuration({
  name: "xcf_engine_process_duration_seconds",
  description: "How long processes of engines ran.",
});

const WORKER = {
  busy: { name: "xcf_worker_tasks_running", description: "Tasks this worker is working on." },
  slots: { name: "xcf_worker_slots", description: "Tasks this worker would take at a time." },
};

/** @returns ends the observation. */
export function observeWorker(read: () => { readonly busy: number; readonly slots: number }): () => void {
  return observeGauges(
    WORKER,
    async () => {
      const { busy, slots } = read();
      return { busy: [{ value: busy }], slots: [{ value: slots }] };
    },
    () => undefined,
  );
}
