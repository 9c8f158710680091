import { addDecimals, type Decimal, parseDecimal } from "./decimal.ts";

export interface CostPart {
  readonly amount: string;
  readonly currency: string;
}

export type CostSum =
  | { readonly kind: "none" }
  | { readonly kind: "sum"; readonly amount: Decimal; readonly currency: string }
  /** `detail` says what stands in the way: two currencies, or something that is no amount. */
  | { readonly kind: "incomparable"; readonly detail: string };

/** Adds amounts exactly; there is no sum of two currencies. */
export function sumCosts(parts: Iterable<CostPart>): CostSum {
  let total: Decimal = { units: 0n, scale: 2 };
  let known: string | undefined;
  for (const { amount, currency } of parts) {
    if (known !== undefined && known !== currency) return { kind: "incomparable", detail: `${known} and ${currency}` };
    const decimal = parseDecimal(amount);
    if (decimal === undefined) return { kind: "incomparable", detail: `"${amount}" is not an amount` };
    known = currency;
    total = addDecimals(total, decimal);
  }
  return known === undefined ? { kind: "none" } : { kind: "sum", amount: total, currency: known };
}
