/** `manifest annotate`: says for which platform a manifest of a list is. */
import { CliError, defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { ordered } from "./local-manifest.ts";
import { ManifestStore, normalizedReference } from "./manifest-store.ts";

/** What docker lets pass. */
const platforms: Record<string, string> = {
  darwin: "386 amd64 arm arm64",
  dragonfly: "amd64",
  freebsd: "386 amd64 arm",
  linux: "386 amd64 arm arm64 ppc64le mips64 mips64le riscv64 s390x",
  netbsd: "386 amd64 arm",
  openbsd: "386 amd64 arm",
  plan9: "386 amd64",
  solaris: "amd64",
  windows: "386 amd64",
};

export const command = defineCommand({
  usage: "[OPTIONS] MANIFEST_LIST MANIFEST",
  args: { min: 2, max: 2 },
  flags: {
    arch: flag.string("Set architecture"),
    os: flag.string("Set operating system"),
    "os-features": flag.commaList("Set operating system feature"),
    "os-version": flag.string("Set operating system version"),
    variant: flag.string("Set architecture variant"),
  },
  async run(context, flags, [name = "", image = ""]) {
    const { arch, os, variant, "os-features": features, "os-version": version } = flags.value;
    const store = new ManifestStore(context);
    const [list, reference] = [normalizedReference(name), normalizedReference(image)];
    const manifest = store.find(list, reference);
    if (!manifest) throw new CliError(`manifest for image ${image} does not exist in ${name}`);
    const before = manifest.Descriptor.platform ?? { architecture: "", os: "" };
    const platform = ordered({
      architecture: arch || before.architecture,
      os: os || before.os,
      variant: variant || (before.variant ?? ""),
      "os.version": version || (before["os.version"] ?? ""),
      "os.features": [...new Set([...(before["os.features"] ?? []), ...features])],
    });
    if (!platforms[platform.os]?.split(" ").includes(platform.architecture)) {
      throw new CliError(`manifest entry for image has unsupported os/arch combination: ${os}/${arch}`);
    }
    store.save(list, reference, { ...manifest, Descriptor: { ...manifest.Descriptor, platform } });
    return 0;
  },
});
