/** One container as a row of `ps` and `system df -v`: the methods that docker's templates may use. */
import type { ContainerSummary } from "../../api/containers.ts";
import { goQuote } from "../../base/go-quote.ts";
import { shortId } from "../../base/ids.ts";
import { familiarString } from "../../oci/reference.ts";
import { GoObject, type GoType, Typed } from "../format/template/go-type.ts";
import { agoFromSeconds, ellipsis, humanSize, localTime } from "../format/units.ts";
import { tryReference } from "../values/reference.ts";
import { displayPorts } from "./create/ports.ts";

export const containerHeader = {
  ID: "CONTAINER ID",
  Names: "NAMES",
  Image: "IMAGE",
  Command: "COMMAND",
  CreatedAt: "CREATED AT",
  RunningFor: "CREATED",
  Ports: "PORTS",
  State: "STATE",
  Status: "STATUS",
  Size: "SIZE",
  Labels: "LABELS",
  Mounts: "MOUNTS",
  LocalVolumes: "LOCAL VOLUMES",
  Networks: "NETWORKS",
  Platform: "PLATFORM",
};

interface PlatformHolder {
  platform?: { architecture: string; os: string; variant?: string };
}

const platformType: GoType = {
  kind: "pointer",
  name: "*formatter.Platform",
  elem: { kind: "string", name: "formatter.Platform" },
};

/** `truncate`: short ids, a single name, cut commands and mounts. */
export function containerRow(container: ContainerSummary, truncate: boolean): GoObject {
  return new GoObject("*formatter.ContainerContext", {
    Command: () => goQuote(truncate ? ellipsis(container.Command, 20) : container.Command),
    CreatedAt: () => localTime(container.Created),
    ID: () => (truncate ? shortId(container.Id) : container.Id),
    Image: () => showImage(container, truncate),
    Label: (name) => container.Labels?.[name] ?? "",
    Labels: () => showLabels(container.Labels),
    LocalVolumes: () => String((container.Mounts ?? []).filter((mount) => mount.Driver === "local").length),
    Mounts: () =>
      (container.Mounts ?? [])
        .map((mount) => mount.Name || mount.Source)
        .map((name) => (truncate ? ellipsis(name, 15) : name))
        .join(","),
    Names: () => showNames(container.Names ?? [], truncate),
    Networks: () => Object.keys(container.NetworkSettings?.Networks ?? {}).join(","),
    Platform: () => showPlatform(container),
    Ports: () => displayPorts(container.Ports ?? []),
    RunningFor: () => agoFromSeconds(container.Created),
    Size: () => showSize(container),
    State: () => container.State,
    Status: () => container.Status,
  });
}

export function showLabels(labels: Record<string, string> | null | undefined): string {
  return Object.entries(labels ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(",");
}

function showNames(names: string[], truncate: boolean): string {
  const plain = names.map((name) => name.replace(/^\//, ""));
  // A name with a slash inside is the alias of a legacy link.
  return truncate ? (plain.find((name) => !name.includes("/")) ?? "") : plain.join(",");
}

function showImage({ Image: image, ImageID: id }: ContainerSummary, truncate: boolean): string {
  if (image === "") return "<no image>";
  if (!truncate) return image;
  if (shortId(id) === shortId(image)) return shortId(id);
  const reference = tryReference(image);
  if (!reference) return image;
  const { digest: _digest, ...rest } = reference;
  return familiarString(rest);
}

function showSize({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  const own = humanSize(SizeRw, 3);
  return SizeRootFs > 0 ? `${own} (virtual ${humanSize(SizeRootFs, 3)})` : own;
}

function showPlatform(container: ContainerSummary): Typed {
  const platform = (container.ImageManifestDescriptor as PlatformHolder | undefined)?.platform;
  const text = platform && [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/");
  return new Typed(platformType, text ?? null);
}
