import { z } from "zod";
import { CodedError } from "./coded-error.ts";

/** One name in an address: an environment, composition, region or module. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9-]{0,62}$/;

export const nameSchema = z
  .string()
  .regex(NAME_PATTERN, "must be 1 to 63 lower-case letters, digits or dashes, starting with a letter or digit");

const ADDRESS_PATTERN =
  /^([a-z0-9][a-z0-9-]{0,62})\/([a-z0-9][a-z0-9-]{0,62})(?:@([a-z0-9][a-z0-9-]{0,62}))?\/([a-z0-9][a-z0-9-]{0,62})$/;

/** A unit's name everywhere: `<env>/<composition>[@<region>]/<module>`. */
export type Address = string;

export const addressSchema: z.ZodType<Address> = z
  .string()
  .regex(ADDRESS_PATTERN, "must be <env>/<composition>[@<region>]/<module>");

export interface AddressParts {
  readonly environment: string;
  readonly composition: string;
  readonly region: string | undefined;
  readonly module: string;
}

/** Thrown when a text given as a unit address is not `<env>/<composition>[@<region>]/<module>`. */
export class AddressInvalidError extends CodedError {
  readonly text: string;

  constructor(text: string) {
    super("ADDRESS_INVALID", "invalid", {
      what: `"${text.slice(0, 200)}" is not a unit address`,
      hint: "write <env>/<composition>[@<region>]/<module>; `xcf graph` lists the addresses",
    });
    this.text = text;
  }
}

export function formatAddress(parts: AddressParts): Address {
  const region = parts.region === undefined ? "" : `@${parts.region}`;
  return `${parts.environment}/${parts.composition}${region}/${parts.module}`;
}

/** @throws {AddressInvalidError} when `text` is not an address. */
export function parseAddress(text: string): AddressParts {
  const match = ADDRESS_PATTERN.exec(text);
  const [, environment, composition, region, module] = match ?? [];
  if (environment === undefined || composition === undefined || module === undefined)
    throw new AddressInvalidError(text);
  return { environment, composition, region, module };
}
