/**
 * The users: an htpasswd file with bcrypt hashes (`htpasswd -B`). The file is read again when it changes. A password that was right is
 * remembered for some minutes as a keyed hash, because bcrypt costs tens of milliseconds by design.
 */
import { readFile, stat } from "node:fs/promises";
import { errorMessage, invalidArgument, unavailable } from "../../base/errors.ts";

const rememberMillis = 5 * 60 * 1000;
const maxRemembered = 10_000;
/** Compared against when the user is unknown, so that the time taken does not tell. */
const nobody = "$2b$10$CwTycUXWue0Thq9StjUM0uJ8Z8W4W4Y5n5Z1y3q3p1b5eW5h5x1yG";

export interface UserCredentials {
  readonly user: string;
  readonly password: string;
}

export class Htpasswd {
  private readonly path: string;
  private readonly secret = crypto.getRandomValues(new Uint8Array(32));
  private readonly remembered = new Map<string, number>();
  private users = new Map<string, string>();
  private version = "";

  private constructor(path: string) {
    this.path = path;
  }

  /** Throws when the file cannot be read or is not of bcrypt hashes. */
  static async open(path: string): Promise<Htpasswd> {
    const users = new Htpasswd(path);
    await users.reload();
    return users;
  }

  async verify({ user, password }: UserCredentials): Promise<boolean> {
    await this.refresh();
    const key = new Bun.CryptoHasher("sha256", this.secret).update(`${user}\0${password}`).digest("hex");
    if ((this.remembered.get(key) ?? 0) > Date.now()) return true;
    const hash = this.users.get(user);
    const right = await Bun.password.verify(password || " ", hash ?? nobody, "bcrypt").catch(() => false);
    if (!right || hash === undefined || password === "") return false;
    if (this.remembered.size >= maxRemembered) this.remembered.clear();
    this.remembered.set(key, Date.now() + rememberMillis);
    return true;
  }

  /** Another whenever the user's password is another; undefined for who is no user. */
  async fingerprint(user: string): Promise<string | undefined> {
    await this.refresh();
    const hash = this.users.get(user);
    return hash === undefined ? undefined : new Bun.CryptoHasher("sha256").update(hash).digest("hex");
  }

  /** A file that is gone or broken lets nobody in, until it is mended. */
  private async refresh(): Promise<void> {
    try {
      await this.reload();
    } catch (error) {
      throw unavailable(`the users cannot be read: ${errorMessage(error)}`, { cause: error });
    }
  }

  private async reload(): Promise<void> {
    const { mtimeMs, size, ino } = await stat(this.path);
    const version = `${mtimeMs} ${size} ${ino}`;
    if (version !== this.version) {
      this.users = parseHtpasswd(await readFile(this.path, "utf8"));
      this.remembered.clear();
      this.version = version;
    }
  }
}

/** User → hash. Throws `invalid-argument` for a line of another form, which would otherwise lock a user out unseen. */
export function parseHtpasswd(text: string): Map<string, string> {
  const users = new Map<string, string>();
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const colon = line.indexOf(":");
    const hash = line.slice(colon + 1).trim();
    if (colon <= 0 || !/^\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash)) {
      throw invalidArgument(`htpasswd: line ${at + 1} is not user:bcrypt-hash (make it with htpasswd -B)`);
    }
    // Apache's $2y$ and everyone else's $2b$ are one algorithm; Bun knows the latter name.
    users.set(line.slice(0, colon), hash.replace(/^\$2[axy]\$/, "$2b$"));
  }
  return users;
}

/** Whether nobody claims to be anybody: without the header, or with neither name nor password in it, as podman and skopeo have it. */
export function isAnonymous(header: string | null): boolean {
  return header === null || /^basic +Og==$/i.test(header);
}

export function basicCredentials(header: string | null): UserCredentials | undefined {
  const match = /^basic +([A-Za-z0-9+/=]+)$/i.exec(header ?? "");
  if (!match) return undefined;
  const text = Buffer.from(match[1] ?? "", "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon <= 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
