import { EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE, type ScalarEvent } from "js-yaml";
import { LIMITS } from "./limits.ts";

export type Path = readonly PropertyKey[];

/** A place in a file, counted from 1. */
export interface Position {
  readonly line: number;
  readonly col: number;
}

/** Where a value, and the key that names it, begins; offsets into the text. */
interface PlacedNode {
  readonly key: number | undefined;
  readonly start: number | undefined;
  readonly children: Map<string, PlacedNode> | undefined;
}

/**
 * A file's text, and positions in it by document and path. Positions are worked out when somebody asks, from the same
 * parser's events as the values: most files never need any.
 */
export class Source {
  readonly file: string;
  readonly text: string;
  #lineStarts: readonly number[] | undefined;
  #documents: readonly PlacedNode[] | undefined;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  /** Position of an offset into the text. */
  at(offset: number): Position {
    const starts = this.#starts();
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, col: offset - (starts[low] ?? 0) + 1 };
  }

  /** Position of the key that names what `path` leads to, else of the value, else of the nearest thing around it. */
  keyAt(document: number, path: Path): Position {
    const node = this.#find(document, path);
    return this.at(node?.key ?? node?.start ?? 0);
  }

  /** Position of the value `path` leads to, else of its key, else of the nearest thing around it. */
  valueAt(document: number, path: Path): Position {
    const node = this.#find(document, path);
    return this.at(node?.start ?? node?.key ?? 0);
  }

  /** Position inside the text at `path`, where the file spells it as it is; else of its beginning. */
  insideAt(document: number, path: Path, text: string, offset: number): Position {
    const start = this.#find(document, path)?.start;
    if (start === undefined) return this.valueAt(document, path);
    if (this.text.startsWith(text, start)) return this.at(start + offset);
    return this.text.startsWith(text, start + 1) ? this.at(start + 1 + offset) : this.at(start);
  }

  /** `file:line:col` of the key at `path`. */
  reference(document: number, path: Path): string {
    const { line, col } = this.keyAt(document, path);
    return `${this.file}:${line}:${col}`;
  }

  #find(document: number, path: Path): PlacedNode | undefined {
    this.#documents ??= placeDocuments(this.text);
    let node = this.#documents[document];
    for (const part of path) {
      const child = node?.children?.get(String(part));
      if (child === undefined) break;
      node = child;
    }
    return node;
  }

  #starts(): readonly number[] {
    if (this.#lineStarts === undefined) {
      const starts = [0];
      for (const match of this.text.matchAll(/\r\n|\n|\r/g)) starts.push(match.index + match[0].length);
      this.#lineStarts = starts;
    }
    return this.#lineStarts;
  }
}

function placeDocuments(text: string): PlacedNode[] {
  let events: readonly Event[];
  try {
    events = parseEvents(text, { maxDepth: LIMITS.depth });
  } catch {
    // A file that does not parse has no paths; its problems carry offsets of their own.
    return [];
  }
  const walk = { events, text, index: 0 };
  const documents: PlacedNode[] = [];
  while (walk.index < events.length) {
    walk.index += 1;
    documents.push(placeNode(walk, undefined));
    walk.index += 1;
  }
  return documents;
}

interface Walk {
  readonly events: readonly Event[];
  readonly text: string;
  index: number;
}

/** Reads one node; leaves `index` behind its last event. Depth is bounded by the parser's own limit. */
function placeNode(walk: Walk, key: number | undefined): PlacedNode {
  const event = walk.events[walk.index];
  walk.index += 1;
  if (event === undefined) return { key, start: undefined, children: undefined };
  switch (event.type) {
    case EVENT_ID.SCALAR:
      return { key, start: scalarStart(event), children: undefined };
    case EVENT_ID.ALIAS:
      return { key, start: event.anchorStart - 1, children: undefined };
    case EVENT_ID.SEQUENCE: {
      const children = new Map<string, PlacedNode>();
      while (isOpen(walk)) children.set(String(children.size), placeNode(walk, undefined));
      walk.index += 1;
      return { key, start: event.start, children };
    }
    case EVENT_ID.MAPPING: {
      const children = new Map<string, PlacedNode>();
      while (isOpen(walk)) placePair(walk, children);
      walk.index += 1;
      return { key, start: event.start, children };
    }
    default:
      return { key, start: undefined, children: undefined };
  }
}

function isOpen(walk: Walk): boolean {
  const event = walk.events[walk.index];
  return event !== undefined && event.type !== EVENT_ID.POP;
}

function placePair(walk: Walk, children: Map<string, PlacedNode>): void {
  const event = walk.events[walk.index];
  const name = event?.type === EVENT_ID.SCALAR ? getScalarValue(walk.text, event) : undefined;
  const keyNode = placeNode(walk, undefined);
  const value = placeNode(walk, keyNode.start);
  // Of a repeated key the last one counts, as it does for the values.
  if (name !== undefined) children.set(name, value);
}

/** Where a scalar begins, its quote included. Undefined for a value that is left out (`key:`). */
export function scalarStart(event: ScalarEvent): number | undefined {
  if (event.valueStart < 0 || (event.valueStart === event.valueEnd && event.style === SCALAR_STYLE.PLAIN))
    return undefined;
  const quoted = event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED;
  return quoted ? event.valueStart - 1 : event.valueStart;
}
