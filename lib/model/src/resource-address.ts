/** A resource's address taken apart, in the words of Terraform's JSON plan. */
export interface ResourceAddress {
  /** `module.a["x"].module.b`; absent in the root module. */
  readonly moduleAddress?: string;
  readonly mode: "managed" | "data";
  readonly type: string;
  readonly name: string;
  /** Of `count` a number, of `for_each` a string. */
  readonly index?: number | string;
}

const IDENTIFIER = /[\p{ID_Start}_][\p{ID_Continue}-]*/uy;
const KEY = /\[(?:(\d+)|"((?:[^"\\]|\\.)*)")\]/uy;

interface Step {
  readonly name: string;
  readonly index?: number | string;
  readonly end: number;
}

/**
 * Reads an address as Terraform and OpenTofu print it: `module.<name>[<key>].` any number of times, `data.` perhaps, then
 * `<type>.<name>[<key>]`. Undefined for anything else: other engines name resources in their own ways.
 */
export function parseResourceAddress(text: string): ResourceAddress | undefined {
  const steps = splitSteps(text);
  if (steps === undefined) return undefined;
  let at = 0;
  while (steps[at]?.name === "module" && steps[at]?.index === undefined && steps.length - at > 2) at += 2;
  const moduleEnd = at === 0 ? undefined : steps[at - 1]?.end;
  const isData = steps[at]?.name === "data" && steps.length - at === 3;
  const [type, resource, extra] = steps.slice(isData ? at + 1 : at);
  if (type === undefined || resource === undefined || extra !== undefined || type.index !== undefined) return undefined;
  if (type.name === "module" || type.name === "data") return undefined;
  return {
    ...(moduleEnd === undefined ? {} : { moduleAddress: text.slice(0, moduleEnd) }),
    mode: isData ? "data" : "managed",
    type: type.name,
    name: resource.name,
    ...(resource.index === undefined ? {} : { index: resource.index }),
  };
}

function splitSteps(text: string): Step[] | undefined {
  const steps: Step[] = [];
  let at = 0;
  for (;;) {
    const [name] = match(IDENTIFIER, text, at) ?? [];
    if (name === undefined) return undefined;
    at += name.length;
    const key = match(KEY, text, at);
    at += key?.[0].length ?? 0;
    const index = key === undefined ? undefined : indexOf(key);
    steps.push({ name, ...(index === undefined ? {} : { index }), end: at });
    if (at === text.length) return steps;
    if (text[at] !== ".") return undefined;
    at += 1;
  }
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}

function indexOf([, digits, quoted = ""]: RegExpExecArray): number | string {
  return digits === undefined ? unquote(quoted) : Number(digits);
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };

/** HCL's quoting: backslash escapes, `\u` and `\U`, and `$${`, `%%{` for what would begin a template. */
function unquote(text: string): string {
  return text.replaceAll(
    /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))|([$%])\4\{/gu,
    (whole, short?: string, long?: string, single?: string, sign?: string) => {
      if (sign !== undefined) return `${sign}{`;
      if (single !== undefined) return ESCAPES[single] ?? whole;
      const code = Number.parseInt(short ?? long ?? "", 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}
