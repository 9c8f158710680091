import { z } from "zod";
import { isTimeZone } from "./time-zone.ts";

const DAYS: readonly string[] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY_PATTERN = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?:-(Mon|Tue|Wed|Thu|Fri|Sat|Sun))?$/;

const daySchema = z
  .string()
  .regex(DAY_PATTERN, "must be a day (Mon, Tue, Wed, Thu, Fri, Sat, Sun) or a range such as Mon-Thu");

const timeSchema = z
  .string()
  .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day from "00:00" to "23:59", quoted');

export const timeZoneSchema = z.string().refine(isTimeZone, {
  error: "is no time zone (an IANA name, such as Europe/Berlin or UTC)",
  params: { list: "timezone" },
});

/** A recurring time in which changes may run. `to` earlier than or equal to `from` ends on the next day. */
export const windowSchema = z.strictObject({
  days: z.array(daySchema).min(1).max(7).default(["Mon-Sun"]),
  from: timeSchema,
  to: timeSchema,
  timezone: timeZoneSchema.default("UTC"),
});
export type Window = z.infer<typeof windowSchema>;

const dateSchema = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, { error: "must be a date such as 2026-12-24", abort: true })
  .refine((text) => {
    const date = new Date(`${text}T00:00:00Z`);
    return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
  }, "is not a day of the calendar");

/** Dates, both included, in which nothing runs. */
export const blackoutSchema = z
  .strictObject({
    from: dateSchema,
    to: dateSchema,
    timezone: timeZoneSchema.default("UTC"),
    reason: z.string().max(500).optional(),
  })
  .refine((blackout) => blackout.from <= blackout.to, "must not end before it begins");
export type Blackout = z.infer<typeof blackoutSchema>;

/** Open where every group has a window that covers the instant, and no blackout does. */
export const windowRuleSchema = z.strictObject({
  allOf: z.array(z.array(windowSchema).min(1)),
  blackouts: z.array(blackoutSchema),
});
export type WindowRule = z.infer<typeof windowRuleSchema>;

interface LocalTime {
  readonly day: number;
  readonly minute: number;
  readonly date: string;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function localTime(instant: Date, timezone: string): LocalTime {
  let format = formats.get(timezone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone: timezone,
      weekday: "short",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
    formats.set(timezone, format);
  }
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {};
  for (const part of format.formatToParts(instant)) parts[part.type] = part.value;
  return {
    day: DAYS.indexOf(parts.weekday ?? ""),
    minute: Number(parts.hour) * 60 + Number(parts.minute),
    date: `${parts.year}-${parts.month}-${parts.day}`,
  };
}

function coversDay(days: readonly string[], day: number): boolean {
  return days.some((text) => {
    const match = DAY_PATTERN.exec(text);
    const first = DAYS.indexOf(match?.[1] ?? "");
    const last = match?.[2] === undefined ? first : DAYS.indexOf(match[2]);
    return first <= last ? day >= first && day <= last : day >= first || day <= last;
  });
}

function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));
}

type Clocks = (timezone: string) => LocalTime;

function covers(window: Window, clocks: Clocks): boolean {
  const { day, minute } = clocks(window.timezone);
  const from = minuteOf(window.from);
  const to = minuteOf(window.to);
  if (from < to) return coversDay(window.days, day) && minute >= from && minute < to;
  const yesterday = (day + 6) % 7;
  return (coversDay(window.days, day) && minute >= from) || (coversDay(window.days, yesterday) && minute < to);
}

function isOpen(rule: WindowRule, clocks: Clocks): boolean {
  const blackedOut = rule.blackouts.some((blackout) => {
    const { date } = clocks(blackout.timezone);
    return date >= blackout.from && date <= blackout.to;
  });
  return !blackedOut && rule.allOf.every((windows) => windows.some((window) => covers(window, clocks)));
}

/** Whether changes may run at the instant; each window and blackout counts in its own time zone. */
export function isWindowOpen(rule: WindowRule | undefined, instant: Date): boolean {
  return rule === undefined || isOpen(rule, (timezone) => localTime(instant, timezone));
}

const MINUTE = 60_000;
const LOOK_AHEAD_DAYS = 400;
const BLOCK_MINUTES = 15;

/**
 * The first minute from `instant` on at which the rule is open, or undefined when that is more than 400 days away
 * (which for weekly windows means never). Time zones differ, and change, by quarters of an hour: the clocks are read
 * once for each such block, and counted on inside it.
 */
export function nextWindowOpening(rule: WindowRule | undefined, instant: Date): Date | undefined {
  if (rule === undefined || isWindowOpen(rule, instant)) return instant;
  const first = Math.floor(instant.getTime() / MINUTE) + 1;
  const last = first + LOOK_AHEAD_DAYS * 24 * 60;
  for (let block = first - (first % BLOCK_MINUTES); block < last; block += BLOCK_MINUTES) {
    const clocks = clocksAt(new Date(block * MINUTE));
    for (let minute = Math.max(first, block); minute < block + BLOCK_MINUTES; minute += 1) {
      if (isOpen(rule, (timezone) => ahead(clocks(timezone), minute - block))) return new Date(minute * MINUTE);
    }
  }
  return undefined;
}

function clocksAt(instant: Date): Clocks {
  const read = new Map<string, LocalTime>();
  return (timezone) => {
    let time = read.get(timezone);
    if (time === undefined) {
      time = localTime(instant, timezone);
      read.set(timezone, time);
    }
    return time;
  };
}

function ahead(time: LocalTime, minutes: number): LocalTime {
  return { ...time, minute: time.minute + minutes };
}

/** One line for people: `Mon-Thu 22:00–05:00 Europe/Berlin`. */
export function describeWindowRule(rule: WindowRule): string {
  const groups = rule.allOf.map((windows) =>
    windows.map((window) => `${window.days.join(",")} ${window.from}–${window.to} ${window.timezone}`).join(" or "),
  );
  const blackouts = rule.blackouts.map((blackout) => `not ${blackout.from} to ${blackout.to}`);
  return [...groups, ...blackouts].join("; ");
}
