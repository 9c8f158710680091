/** What an API token may do; a runner's claims and reports tasks, the others are people's. */
export const TOKEN_ROLES = ["viewer", "planner", "approver", "operator", "admin", "runner"] as const;
