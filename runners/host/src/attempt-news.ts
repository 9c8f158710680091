import type { Clock } from "@xcloudflow/chassis/clock";
import type { LogStream, ProgressAction } from "./attempt.ts";
import type { AttemptNews } from "./lease-keeper.ts";
import { cleanLine } from "./log-text.ts";

/** Lines and progress of one attempt until they are sent. Bounded: an engine that talks without end costs no memory. */
export interface NewsBuffer {
  log(stream: LogStream, text: string): void;
  progress(resource: string, action: ProgressAction, message: string): void;
  isEmpty(): boolean;
  take(): AttemptNews;
}

const WAITING_LINES = 2_000;
const LINES_IN_ALL = 100_000;
const CHARACTERS_IN_ALL = 16 * 1024 * 1024;

export function createNewsBuffer(clock: Clock): NewsBuffer {
  let lines: { time: string; stream: string; text: string }[] = [];
  let progress = new Map<string, { resource: string; action: string; message: string }>();
  let dropped = 0;
  let sentLines = 0;
  let sentCharacters = 0;

  function push(stream: LogStream, text: string): void {
    lines.push({ time: clock.now().toISOString(), stream, text });
  }

  return {
    log(stream, text) {
      for (const line of text.split("\n")) {
        if (lines.length >= WAITING_LINES || sentLines >= LINES_IN_ALL || sentCharacters >= CHARACTERS_IN_ALL) {
          dropped += 1;
          continue;
        }
        const clean = cleanLine(line);
        sentLines += 1;
        sentCharacters += clean.length;
        push(stream, clean);
      }
    },
    progress(resource, action, message) {
      // Only the newest word on a resource matters to a display.
      progress.set(resource, { resource: cleanLine(resource), action, message: cleanLine(message) });
    },
    isEmpty: () => lines.length === 0 && progress.size === 0,
    take() {
      if (dropped > 0) push("host", `${dropped} lines were left out: the engine wrote more than can be kept`);
      dropped = 0;
      const news = { lines, progress: [...progress.values()] };
      lines = [];
      progress = new Map();
      return news;
    },
  };
}
