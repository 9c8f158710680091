import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/** The mesh that all suites of a run share, each test repository as a tenant of its own. */
const sharedMeshSchema = z.strictObject({
  url: z.url(),
  /** A file a tenant that somebody has. */
  taken: z.string(),
  /** Administrators' tokens by tenant. */
  tokens: z.record(z.string(), z.string()),
  logs: z.string(),
});
export type SharedMesh = z.infer<typeof sharedMeshSchema>;

/** Which control plane end-to-end tests run against: the embedded one, or the mesh that `XCF_TEST_MESH` names. */
export const MODE: "embedded" | "mesh" = process.env["XCF_TEST_MESH"] === undefined ? "embedded" : "mesh";

export interface TakenTenant {
  readonly url: string;
  readonly tenant: string;
  readonly adminToken: string;
}

/** A tenant of the shared mesh that nobody else has, and its administrator's token. */
export async function takeTenant(): Promise<TakenTenant> {
  const path = process.env["XCF_TEST_MESH"] ?? "";
  const { url, taken, tokens } = sharedMeshSchema.parse(JSON.parse(await readFile(path, "utf8")));
  for (const [tenant, adminToken] of Object.entries(tokens)) {
    if (await takeFile(join(taken, tenant))) return { url, tenant, adminToken };
  }
  throw new Error("the shared mesh has no tenant left; test/support/shared-mesh-main.ts makes them");
}

async function takeFile(path: string): Promise<boolean> {
  try {
    await (await open(path, "wx")).close();
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

export function formatSharedMesh(mesh: SharedMesh): string {
  return JSON.stringify(sharedMeshSchema.parse(mesh));
}
