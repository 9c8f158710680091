import type { Run, Step, UnitLog, UnitProgress } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import type { Terminal } from "../terminal.ts";

/** What a person sees while a run goes on. */
export interface ProgressView {
  run(run: Run): void;
  step(step: Step): void;
  progress(progress: UnitProgress): void;
  log(log: UnitLog): void;
  end(): void;
}

const MARK: Readonly<Record<string, string>> = {
  succeeded: "✓",
  failed: "✗",
  skipped: "-",
  canceled: "-",
  waiting: "…",
  running: "▸",
};

/** On a terminal one live line under the lines of what has ended; elsewhere plain lines, one an event worth a line. */
export function createProgressView(terminal: Terminal, quiet: boolean): ProgressView {
  if (quiet) return { run: nothing, step: nothing, progress: nothing, log: nothing, end: nothing };
  const running = new Map<string, string>();
  const shown = new Map<string, string>();
  let live = false;

  function clearLine(): void {
    if (live) terminal.err("\r\u001b[2K");
    live = false;
  }

  function drawLine(): void {
    if (!terminal.live || running.size === 0) return;
    const names = [...running].map(([unit, doing]) => `${unit} ${doing}`).join(" · ");
    const text = `▸ ${running.size} running: ${names}`;
    terminal.err(text.length > terminal.columns ? `${text.slice(0, Math.max(1, terminal.columns - 1))}…` : text);
    live = true;
  }

  function say(text: string): void {
    clearLine();
    terminal.err(`${text}\n`);
    drawLine();
  }

  return {
    run(run) {
      if (run.status === "waiting") say(`… ${run.waitingFor}`);
    },
    step(step) {
      const text = `${MARK[step.status] ?? " "} ${step.unit}  ${doing(step)}${step.reason === "" ? "" : `  ${step.reason}`}`;
      if (step.status === "running") running.set(step.unit, step.stage);
      else running.delete(step.unit);
      const isOnItsWay = step.status === "running" && (terminal.live || step.stage === "record");
      const worthALine = step.status !== "pending" && step.status !== "blocked" && !isOnItsWay;
      if (worthALine && shown.get(step.unit) !== text) {
        shown.set(step.unit, text);
        say(text);
      } else {
        clearLine();
        drawLine();
      }
    },
    progress({ unit, progress }) {
      if (progress === undefined || !running.has(unit)) return;
      running.set(unit, `${progress.action} ${progress.resource}`);
      clearLine();
      drawLine();
    },
    log({ unit, line }) {
      if (line !== undefined) say(`  ${unit} │ ${line.text}`);
    },
    end() {
      clearLine();
    },
  };
}

/** Writing the outcome down is the last thing of a step, and nothing a person waits for. */
function doing({ stage, status }: Step): string {
  if (status === "running") return stage;
  return stage === "record" && status === "succeeded" ? "done" : `${stage} ${status}`;
}

function nothing(): void {
  return;
}
