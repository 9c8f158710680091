import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

/** The path of a program as a shell with this environment would find it; undefined when there is none to start. */
export function findProgram(file: string, environment: Readonly<Record<string, string>>): string | undefined {
  const places = (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(delimiter);
  const candidates = isAbsolute(file) ? [file] : places.map((place) => join(place, file));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
