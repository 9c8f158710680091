import type { ListenAddress } from "@xcloudflow/chassis/listen";
import type { TlsMaterial } from "@xcloudflow/chassis/tls-files";
import { createCertificateAuthority } from "@xcloudflow/mesh/certificate-authority";

const DAY_MS = 86_400_000;

/** An authority of a mesh, and what its members are given. */
export interface TestAuthority {
  readonly ca: Buffer;
  /** @param path what follows `spiffe://xcloudflow/`; undefined: a certificate that names nobody. */
  member(path: string | undefined): Promise<TlsMaterial>;
}

/** Certificates are valid for a year from a day before `daysAgo`. */
export async function createTestAuthority(daysAgo = 0): Promise<TestAuthority> {
  const authority = await createCertificateAuthority(new Date(Date.now() - daysAgo * DAY_MS));
  const ca = Buffer.from(authority.cert);
  return {
    ca,
    async member(path) {
      const uri = path === undefined ? undefined : `spiffe://xcloudflow/${path}`;
      const { cert, key } = await authority.issue(path ?? "nobody", uri);
      return { cert: Buffer.from(cert), key: Buffer.from(key), ca };
    },
  };
}

/** Where a member of the mesh serves, as others' settings give it. */
export function placeOf({ address }: { readonly address: ListenAddress }): string {
  return address.url.replace("http:", "https:");
}
