import type { Address } from "@xcloudflow/model/address";
import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when the plans handed in are not those of the compilation's units. */
export class UnitPlansMismatchedError extends CodedError {
  constructor(address: Address, what: string) {
    super("UNIT_PLANS_MISMATCHED", "invalid", {
      where: address,
      what,
      hint: "assemble with exactly the plans of the selected units",
    });
  }
}

/** Thrown when unit costs cannot be added up. */
export class CostsIncomparableError extends CodedError {
  constructor(detail: string) {
    super("COSTS_INCOMPARABLE", "invalid", {
      what: `the costs of the units cannot be added: ${detail}`,
      hint: "estimate every unit in the same currency",
    });
  }
}
