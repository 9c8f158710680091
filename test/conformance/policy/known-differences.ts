/** Cases whose outcome differs from conftest's, and why that is right. One that agrees after all fails its test. */
export const knownDifferences: ReadonlyMap<string, string> = new Map([
  ["removed-http-send", "a policy must not reach the network from where pull requests are judged"],
  ["removed-opa-runtime", "a policy must not see the environment of the control plane"],
  ["removed-lookup", "a policy must not ask name servers"],
  ["removed-schema", "a $ref in a schema makes OPA read any file or address the policy names"],
  ["data-overlaps-a-rule", "conftest lets the rule hide the data; a name that means two things is refused"],
  ["parse-config", "parse_config and its kin are conftest's own built-ins; OPA has none of them"],
  ["input-toml", "only JSON and YAML are judged; plans of every engine are JSON"],
]);
