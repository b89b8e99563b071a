/** `login`: the daemon checks the credentials, then they are kept in config.json or by a credential helper. */
import { collectText } from "../../base/streams.ts";
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { credentialsFor, hubAddress, runHelper } from "../image/registry-auth.ts";
import { saveConfigValues } from "../save-config.ts";

export const command = defineCommand({
  usage: "[OPTIONS] [SERVER]",
  args: { min: 0, max: 1 },
  description: "Authenticate to a registry.\nDefaults to Docker Hub if no server is specified.",
  flags: {
    password: flag.string("Password or Personal Access Token (PAT)", { short: "p" }),
    "password-stdin": flag.bool("Take the Password or Personal Access Token (PAT) from stdin"),
    username: flag.string("Username", { short: "u" }),
  },
  async run(context, flags, [server = ""]) {
    const { password, username, "password-stdin": fromStdin } = flags.value;
    if (flags.changed("username") && username === "") throw new CliError("username is empty");
    if (flags.changed("password") && password === "") throw new CliError("password is empty");
    if (password !== "" && fromStdin) {
      throw new CliError("conflicting options: cannot specify both --password and --password-stdin");
    }
    if (password !== "") {
      context.stderr.print("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
    }
    if (fromStdin && username === "") throw new CliError("the --password-stdin option requires --username to be set");
    const given = fromStdin ? (await collectText(context.stdin.stream())).replace(/\r?\n$/, "") : password;
    const address =
      server === "" || server === "docker.io" ? hubAddress : server.replace(/^https?:\/\//, "").replace(/\/$/, "");
    const user = await completeCredentials(context, address, username, given);
    const answer = await context.client.json<{ Status: string; IdentityToken?: string }>("POST", "/auth", {
      body: { ...user, serveraddress: address },
    });
    await keep(context, address, user, answer.IdentityToken ?? "");
    if (answer.Status) context.stdout.print(answer.Status);
    return 0;
  },
});

interface User {
  username: string;
  password: string;
}

/** Asks for what is missing; needs a terminal for it. */
async function completeCredentials(
  context: CliContext,
  address: string,
  username: string,
  password: string,
): Promise<User> {
  if (username !== "" && password !== "") return { username, password };
  if (username === "" && password === "") {
    const known = await credentialsFor(context, address === hubAddress ? "docker.io" : address);
    if (known.username && known.password) return { username: known.username, password: known.password };
  }
  if (!context.stdin.isTerminal) throw new CliError("Error: Cannot perform an interactive login from a non TTY device");
  const name = username || (await ask(context, "Username: ", false));
  if (name === "") throw new CliError("error: username is required");
  const secret = password || (await ask(context, "Password: ", true));
  if (secret === "") throw new CliError("error: password is required");
  return { username: name, password: secret };
}

async function ask(context: CliContext, question: string, secret: boolean): Promise<string> {
  context.stdout.write(question);
  const echo = (on: boolean) => Bun.spawnSync(["stty", on ? "echo" : "-echo"], { stdin: "inherit" });
  if (secret) echo(false);
  try {
    return ((await context.stdin.line()) ?? "").trim();
  } finally {
    if (secret) {
      echo(true);
      context.stdout.write("\n");
    }
  }
}

async function keep(context: CliContext, address: string, user: User, token: string): Promise<void> {
  const { directory, values } = context.config;
  const helper = values.credHelpers?.[address] ?? values.credsStore;
  const secret =
    token === "" ? { Username: user.username, Secret: user.password } : { Username: "<token>", Secret: token };
  if (helper) {
    const stored = await runHelper(helper, "store", JSON.stringify({ ServerURL: address, ...secret }));
    if (stored === undefined) throw new CliError(`error saving credentials: the credential helper ${helper} failed`);
    saveConfigValues(directory, (old) => ({ ...old, auths: { ...old.auths, [address]: {} } }));
    return;
  }
  const password = token === "" ? user.password : "";
  const auth = Buffer.from(`${user.username}:${password}`).toString("base64");
  const entry = { auth, ...(token === "" ? {} : { identitytoken: token }) };
  saveConfigValues(directory, (old) => ({ ...old, auths: { ...old.auths, [address]: entry } }));
  context.stderr.print(
    `\nWARNING! Your credentials are stored unencrypted in '${directory}/config.json'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n`,
  );
}
