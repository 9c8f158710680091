const DECIMAL_PATTERN = /^(-?)(\d{1,40})(?:\.(\d{1,40}))?$/;

/** A decimal number as an integer of `10^-scale` units: costs are compared and added without rounding. */
export interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}

/** Undefined when `text` is not plain decimal digits (`-12.40`); exponents are refused, they hide magnitudes. */
export function parseDecimal(text: string): Decimal | undefined {
  const [, sign, whole, fraction = ""] = DECIMAL_PATTERN.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const units = BigInt(whole + fraction);
  return { units: sign === "-" ? -units : units, scale: fraction.length };
}

/** The decimal a number is written as, to twenty places; zero where it has none (not finite, or beyond 10^21). */
export function decimalOf(value: number): Decimal {
  return parseDecimal(String(value)) ?? parseDecimal(value.toFixed(20)) ?? { units: 0n, scale: 0 };
}

/** Prints at least `minimumScale` digits after the point: `12.40`. */
export function formatDecimal({ units, scale }: Decimal, minimumScale = 0): string {
  const shown = Math.max(scale, minimumScale);
  const scaled = units * 10n ** BigInt(shown - scale);
  const digits = (scaled < 0n ? -scaled : scaled).toString().padStart(shown + 1, "0");
  const sign = scaled < 0n ? "-" : "";
  return shown === 0 ? sign + digits : `${sign}${digits.slice(0, -shown)}.${digits.slice(-shown)}`;
}

/** Negative, zero or positive as `a` is less than, equal to or greater than `b`. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const [left, right] = aligned(a, b);
  return left < right ? -1 : left > right ? 1 : 0;
}

export function addDecimals(a: Decimal, b: Decimal): Decimal {
  const [left, right] = aligned(a, b);
  return { units: left + right, scale: Math.max(a.scale, b.scale) };
}

function aligned(a: Decimal, b: Decimal): [bigint, bigint] {
  const scale = Math.max(a.scale, b.scale);
  return [a.units * 10n ** BigInt(scale - a.scale), b.units * 10n ** BigInt(scale - b.scale)];
}
