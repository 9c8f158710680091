const known = new Map<string, boolean>();

/** Whether the runtime's own time zone database has this IANA zone. */
export function isTimeZone(name: string): boolean {
  let answer = known.get(name);
  if (answer === undefined) {
    answer = canFormat(name);
    known.set(name, answer);
  }
  return answer;
}

function canFormat(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

let zones: readonly string[] | undefined;

export function timeZoneNames(): readonly string[] {
  zones ??= [...Intl.supportedValuesOf("timeZone"), "UTC"];
  return zones;
}
