/** `logout`. */
import { defineCommand } from "../command.ts";
import { hubAddress, runHelper } from "../image/registry-auth.ts";
import { saveConfigValues } from "../save-config.ts";

export const command = defineCommand({
  usage: "[SERVER]",
  args: { min: 0, max: 1 },
  description: "Log out from a registry.\nIf no server is specified, the default is defined by the daemon.",
  flags: {},
  async run(context, _flags, [server = ""]) {
    const isHub = server === "" || server === "docker.io";
    const address = isHub ? hubAddress : server.replace(/^https?:\/\//, "").replace(/\/$/, "");
    context.stdout.print(`Removing login credentials for ${address}`);
    const { values, directory } = context.config;
    const keys = [address, `https://${address}`, `http://${address}`];
    const helper = values.credHelpers?.[address] ?? values.credsStore;
    if (helper) await runHelper(helper, "erase", address);
    if (keys.some((key) => values.auths?.[key])) {
      saveConfigValues(directory, (old) => ({
        ...old,
        auths: Object.fromEntries(Object.entries(old.auths ?? {}).filter(([key]) => !keys.includes(key))),
      }));
    }
    return 0;
  },
});
