import { escapeSubjectToken } from "./bus-subject.ts";
import { EVENT_STREAM, eventStream, type NatsStreamSettings, type StreamSpec } from "./nats-streams.ts";

/** A name and its password, in clear or as nats-server's bcrypt. */
export interface NatsUser {
  readonly user: string;
  readonly password: string;
}

export interface TenantAccount {
  readonly tenant: string;
  /** Makes the account's stream; the mesh's own. */
  readonly provisioner: NatsUser;
  /** May read, from any sequence, and nothing else. */
  readonly subscribers: readonly NatsUser[];
}

const MESH_ACCOUNT = "XCF";
/** Where a tenant's account finds the one call of the mesh's JetStream that it may make. */
const MESH_API = "xcf.mesh.api";

/**
 * The `accounts` block of nats-server.conf: one account for the mesh, one for each tenant. What crosses between them is one
 * consumer on the tenant's own events and what it delivers. People of a tenant cannot make that consumer themselves: who
 * could would choose where in the mesh it delivers to.
 */
export function natsAccountsConfig(
  mesh: readonly NatsUser[],
  tenants: readonly TenantAccount[],
  system: NatsUser,
): string {
  const blocks = [
    `  ${quote(MESH_ACCOUNT)}: {`,
    "    jetstream: enabled",
    `    users: [${mesh.map((user) => userText(user)).join(", ")}]`,
    `    exports: [\n${tenants.flatMap(({ tenant }) => meshExports(tenant)).join("\n")}\n    ]`,
    "  }",
    ...tenants.flatMap(tenantAccount),
    `  SYS: { users: [${userText(system)}] }`,
  ];
  return `accounts: {\n${blocks.join("\n")}\n}\nsystem_account: SYS\n`;
}

/** The tenant's events as its own account holds them; sequences are that stream's own. */
export function tenantStream(tenant: string, settings: NatsStreamSettings): StreamSpec {
  const { subjects: _, ...mesh } = eventStream(settings);
  return {
    ...mesh,
    description: `events of tenant ${tenant}`,
    subjects: [],
    sources: [
      {
        name: EVENT_STREAM,
        filter_subject: eventsOf(tenant),
        external: { api: MESH_API, deliver: deliverPrefix(tenant) },
      },
    ],
  };
}

function eventsOf(tenant: string): string {
  return `xcf.event.${escapeSubjectToken(tenant)}.>`;
}

function deliverPrefix(tenant: string): string {
  return `xcf.mirror.${escapeSubjectToken(tenant)}`;
}

function createCall(tenant: string): string {
  return `CONSUMER.CREATE.${EVENT_STREAM}.*.${eventsOf(tenant)}`;
}

function accountOf(tenant: string): string {
  return `TENANT_${escapeSubjectToken(tenant)}`;
}

function meshExports(tenant: string): readonly string[] {
  const accounts = `accounts: [${quote(accountOf(tenant))}]`;
  return [
    `      { service: ${quote(`$JS.API.${createCall(tenant)}`)}, ${accounts} }`,
    `      { stream: ${quote(`${deliverPrefix(tenant)}.>`)}, ${accounts} }`,
  ];
}

function tenantAccount({ tenant, provisioner, subscribers }: TenantAccount): readonly string[] {
  const account = quote(MESH_ACCOUNT);
  const call = createCall(tenant);
  return [
    `  ${quote(accountOf(tenant))}: {`,
    "    jetstream: enabled",
    "    imports: [",
    `      { service: { account: ${account}, subject: ${quote(`$JS.API.${call}`)} }, to: ${quote(`${MESH_API}.${call}`)} }`,
    `      { stream: { account: ${account}, subject: ${quote(`${deliverPrefix(tenant)}.>`)} } }`,
    "    ]",
    `    users: [${[
      userText(provisioner, { publish: ["$JS.API.>"], subscribe: ["_INBOX.>"] }),
      ...subscribers.map((user) => userText(user, { publish: READING, subscribe: ["_INBOX.>"] })),
    ].join(", ")}]`,
    "  }",
  ];
}

const READING = [
  "$JS.API.INFO",
  `$JS.API.STREAM.INFO.${EVENT_STREAM}`,
  `$JS.API.STREAM.MSG.GET.${EVENT_STREAM}`,
  `$JS.API.DIRECT.GET.${EVENT_STREAM}`,
  `$JS.API.DIRECT.GET.${EVENT_STREAM}.>`,
  `$JS.API.CONSUMER.*.${EVENT_STREAM}`,
  `$JS.API.CONSUMER.*.${EVENT_STREAM}.>`,
  `$JS.API.CONSUMER.*.*.${EVENT_STREAM}.>`,
  `$JS.ACK.${EVENT_STREAM}.>`,
  "$JS.FC.>",
];

interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

function userText({ user, password }: NatsUser, permissions?: Permissions): string {
  const limits =
    permissions === undefined
      ? ""
      : `, permissions: { publish: { allow: [${permissions.publish.map(quote).join(", ")}] }, subscribe: { allow: [${permissions.subscribe.map(quote).join(", ")}] } }`;
  return `{ user: ${quote(user)}, password: ${quote(password)}${limits} }`;
}

/** JSON's strings are nats-server's. */
function quote(text: string): string {
  return JSON.stringify(text);
}
