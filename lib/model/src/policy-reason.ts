/** Why people are asked where a Rego policy tightens a gate; `message` is the policy's own, and may be empty. */
export function policyReason(message: string): string {
  return message === "" ? "policy asks for it" : `policy asks for it: ${message}`;
}
