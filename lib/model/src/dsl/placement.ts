import { EVENT_ID, type Event, getScalarValue, SCALAR_STYLE, type ScalarEvent } from "js-yaml";

/** Numbers a node takes: offset of its key, end of the key's text, offset of its value, nodes of its subtree. */
const WIDTH = 4;
const ABSENT = -1;

/**
 * Where every key and value of a document begins, packed: nodes in the order of the file, each with the size of its
 * subtree, so that a path is followed by stepping over siblings. A few hundred bytes for a usual document, which lets
 * them be kept for every file of a large repository.
 */
export interface Placement {
  readonly nodes: Int32Array;
  /** Keys that the text does not spell as they are (escapes, several lines), by node. */
  readonly spelled: ReadonlyMap<number, string>;
}

const NONE_SPELLED: ReadonlyMap<number, string> = new Map();

export interface Place {
  readonly key: number | undefined;
  readonly start: number | undefined;
}

/** The documents of a file, from the events of its parser. */
export function placeDocuments(text: string, events: readonly Event[]): Placement[] {
  const placements: Placement[] = [];
  const walk: Walk = { events, text, index: 0, numbers: [], spelled: new Map() };
  while (walk.index < events.length) {
    walk.index += 1;
    placeNode(walk, undefined);
    walk.index += 1;
    placements.push({
      nodes: Int32Array.from(walk.numbers),
      spelled: walk.spelled.size === 0 ? NONE_SPELLED : new Map(walk.spelled),
    });
    walk.numbers.length = 0;
    walk.spelled.clear();
  }
  return placements;
}

interface Walk {
  readonly events: readonly Event[];
  readonly text: string;
  index: number;
  readonly numbers: number[];
  readonly spelled: Map<number, string>;
}

/** Reads one node; leaves `index` behind its last event. Depth is bounded by the parser's own limit. */
function placeNode(walk: Walk, key: ScalarEvent | undefined): void {
  const event = walk.events[walk.index];
  walk.index += 1;
  const node = walk.numbers.length;
  walk.numbers.push(
    key === undefined ? ABSENT : (scalarStart(key) ?? ABSENT),
    key?.valueEnd ?? ABSENT,
    startOf(event),
    1,
  );
  if (key !== undefined && !key.fast) walk.spelled.set(node / WIDTH, getScalarValue(walk.text, key));
  if (event?.type === EVENT_ID.SEQUENCE) {
    while (isOpen(walk)) placeNode(walk, undefined);
    walk.index += 1;
  } else if (event?.type === EVENT_ID.MAPPING) {
    while (isOpen(walk)) placePair(walk);
    walk.index += 1;
  }
  walk.numbers[node + 3] = (walk.numbers.length - node) / WIDTH;
}

function startOf(event: Event | undefined): number {
  if (event?.type === EVENT_ID.SCALAR) return scalarStart(event) ?? ABSENT;
  if (event?.type === EVENT_ID.ALIAS) return event.anchorStart - 1;
  return event?.type === EVENT_ID.SEQUENCE || event?.type === EVENT_ID.MAPPING ? event.start : ABSENT;
}

function isOpen(walk: Walk): boolean {
  const event = walk.events[walk.index];
  return event !== undefined && event.type !== EVENT_ID.POP;
}

/** A key that is no text is refused elsewhere: its nodes are dropped here, and its value cannot be found. */
function placePair(walk: Walk): void {
  const key = walk.events[walk.index];
  if (key?.type === EVENT_ID.SCALAR) {
    walk.index += 1;
    placeNode(walk, key);
    return;
  }
  const node = walk.numbers.length;
  placeNode(walk, undefined);
  walk.numbers.length = node;
  placeNode(walk, undefined);
}

/** Where a scalar begins, its quote included. Undefined for a value that is left out (`key:`). */
export function scalarStart(event: ScalarEvent): number | undefined {
  if (event.valueStart < 0 || (event.valueStart === event.valueEnd && event.style === SCALAR_STYLE.PLAIN)) {
    return undefined;
  }
  const quoted = event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED;
  return quoted ? event.valueStart - 1 : event.valueStart;
}

/** The place of what `path` leads to, or of the nearest thing around it. */
export function findPlace({ nodes, spelled }: Placement, text: string, path: readonly PropertyKey[]): Place {
  let node = 0;
  for (const part of path) {
    const child = childOf(nodes, spelled, text, node, part);
    if (child === undefined) break;
    node = child;
  }
  return { key: offset(nodes[node * WIDTH]), start: offset(nodes[node * WIDTH + 2]) };
}

function offset(value: number | undefined): number | undefined {
  return value === undefined || value === ABSENT ? undefined : value;
}

/** Of a repeated key the last one counts, as it does for the values. */
function childOf(
  nodes: Int32Array,
  spelled: ReadonlyMap<number, string>,
  text: string,
  node: number,
  part: PropertyKey,
): number | undefined {
  const end = node + (nodes[node * WIDTH + 3] ?? 1);
  const name = String(part);
  let found: number | undefined;
  let position = 0;
  for (let child = node + 1; child < end; child += nodes[child * WIDTH + 3] ?? 1) {
    const keyStart = nodes[child * WIDTH] ?? ABSENT;
    if (keyStart === ABSENT && !spelled.has(child)) {
      if (position === part || String(position) === name) found = child;
      position += 1;
    } else if (isNamed(spelled.get(child), text, keyStart, nodes[child * WIDTH + 1] ?? ABSENT, name)) found = child;
  }
  return found;
}

function isNamed(spelling: string | undefined, text: string, start: number, end: number, name: string): boolean {
  if (spelling !== undefined) return spelling === name;
  const first = text.charAt(start);
  const from = first === '"' || first === "'" ? start + 1 : start;
  return end - from === name.length && text.startsWith(name, from);
}
