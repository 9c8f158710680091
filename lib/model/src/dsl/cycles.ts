/**
 * One cycle of each knot of nodes that depend on each other (strongly connected component), its first node repeated
 * at the end. Tarjan's algorithm without recursion, O(nodes + edges).
 */
export function findCycles<T>(nodes: Iterable<T>, dependenciesOf: (node: T) => Iterable<T>): T[][] {
  const search: Search<T> = { marks: new Map(), stack: [], knots: [], next: 0 };
  for (const node of nodes) if (!search.marks.has(node)) explore(search, node, dependenciesOf);
  return search.knots.map((knot) => cycleWithin(knot, dependenciesOf));
}

interface Mark {
  readonly index: number;
  low: number;
  open: boolean;
}

interface Search<T> {
  readonly marks: Map<T, Mark>;
  readonly stack: T[];
  readonly knots: Set<T>[];
  next: number;
}

function explore<T>(search: Search<T>, root: T, dependenciesOf: (node: T) => Iterable<T>): void {
  const path = [enter(search, root, dependenciesOf)];
  for (let frame = path.at(-1); frame !== undefined; frame = path.at(-1)) {
    const step = frame.rest.next();
    if (step.done === true) {
      path.pop();
      leave(search, frame, path.at(-1)?.mark);
      continue;
    }
    if (step.value === frame.node) frame.loops = true;
    const seen = search.marks.get(step.value);
    if (seen === undefined) path.push(enter(search, step.value, dependenciesOf));
    else if (seen.open) frame.mark.low = Math.min(frame.mark.low, seen.index);
  }
}

interface Frame<T> {
  readonly node: T;
  readonly mark: Mark;
  readonly rest: Iterator<T>;
  loops: boolean;
}

function enter<T>(search: Search<T>, node: T, dependenciesOf: (node: T) => Iterable<T>): Frame<T> {
  const mark: Mark = { index: search.next, low: search.next, open: true };
  search.next += 1;
  search.marks.set(node, mark);
  search.stack.push(node);
  return { node, mark, rest: dependenciesOf(node)[Symbol.iterator](), loops: false };
}

function leave<T>(search: Search<T>, { node, mark, loops }: Frame<T>, parent: Mark | undefined): void {
  if (parent !== undefined) parent.low = Math.min(parent.low, mark.low);
  if (mark.low !== mark.index) return;
  const knot = new Set<T>();
  for (let member = search.stack.pop(); member !== undefined; member = search.stack.pop()) {
    const found = search.marks.get(member);
    if (found !== undefined) found.open = false;
    knot.add(member);
    if (member === node) break;
  }
  if (knot.size > 1 || loops) search.knots.push(knot);
}

/** A shortest way from the knot's first node back to it, by breadth-first search. */
function cycleWithin<T>(knot: ReadonlySet<T>, dependenciesOf: (node: T) => Iterable<T>): T[] {
  const [start] = [...knot].reverse();
  if (start === undefined) return [];
  const cameFrom = new Map<T, T>();
  const queue: T[] = [start];
  for (let at = 0; at < queue.length; at += 1) {
    const node = queue[at];
    if (node === undefined) break;
    for (const next of dependenciesOf(node)) {
      if (next === start) return wayBack(cameFrom, start, node);
      if (!knot.has(next) || cameFrom.has(next)) continue;
      cameFrom.set(next, node);
      queue.push(next);
    }
  }
  return [start, start];
}

function wayBack<T>(cameFrom: ReadonlyMap<T, T>, start: T, last: T): T[] {
  const way = [start, last];
  for (let node = last; node !== start; ) {
    const before = cameFrom.get(node);
    if (before === undefined) break;
    way.push(before);
    node = before;
  }
  if (last === start) return [start, start];
  return way.reverse();
}
