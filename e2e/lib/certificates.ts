/** An authority of a test's own, and certificates that it signs. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must } from "./run.ts";

const fresh = ["-newkey", "rsa:2048", "-nodes", "-days", "2"];

export class TestAuthority {
  private readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Its certificate is `ca.crt` in the directory. */
  static async create(directory: string): Promise<TestAuthority> {
    mkdirSync(directory);
    const authority = new TestAuthority(directory);
    await authority.openssl(
      "req",
      "-x509",
      ...fresh,
      "-keyout",
      "ca.key",
      "-out",
      "ca.crt",
      "-subj",
      "/CN=test authority",
    );
    return authority;
  }

  /** Makes `name.crt` and `name.key`. `extension`: what the certificate is for, as in openssl's configuration. */
  async sign(name: string, extension: string): Promise<void> {
    writeFileSync(this.file(`${name}.ext`), extension);
    await this.openssl("req", ...fresh, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const signing = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", `${name}.ext`];
    await this.openssl("x509", "-req", "-in", `${name}.csr`, "-out", `${name}.crt`, ...signing);
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  private openssl(...args: string[]): Promise<string> {
    return must(["openssl", ...args], { cwd: this.directory });
  }
}
