/** Somebody of the shop. Embedded mode takes who you are from the environment and records that you said so. */
export interface Person {
  readonly name: string;
  readonly email: string;
  readonly groups: readonly string[];
}

const person = (name: string, ...groups: string[]): Person => ({
  name,
  email: `${name.toLowerCase()}@shop.example`,
  groups,
});

/** Writes most changes, and is in the approving group on purpose: that must not help. */
export const DANA = person("Dana", "platform-leads");
export const INES = person("Ines");
export const LEE = person("Lee", "platform-leads");
